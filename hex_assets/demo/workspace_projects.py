"""The sample workspace's people, collections, projects and cells, with the SQL that they run."""

from __future__ import annotations

from datetime import datetime, timezone

from hex_assets.demo.workspace_model import (
    Category,
    Cell,
    Collection,
    Connection,
    Person,
    Project,
    Run,
    Schedule,
)

ADA = "ada.linden@fernhilltea.example"
BRUNO = "bruno.keller@fernhilltea.example"
CHIARA = "Chiara.Rossi@fernhilltea.example"
DEV = "dev.patel@fernhilltea.example"
EMMA = "emma.novak@fernhilltea.example"
FREELANCER = "jo@freelance-charts.example"
LEFT_COMPANY = "former.analyst@fernhilltea.example"

PEOPLE: tuple[Person, ...] = (
    Person("Ada Linden", ADA, "ADMIN"),
    Person("Bruno Keller", BRUNO),
    Person("Chiara Rossi", CHIARA),
    Person("Dev Patel", DEV, "MANAGER"),
    Person("Emma Novak", EMMA, "EXPLORER"),
    Person("Jo Winter", FREELANCER, "GUEST", in_catalog=False),
    Person("Former Analyst", LEFT_COMPANY, in_catalog=False),
)

CONNECTIONS: tuple[Connection, ...] = (
    Connection(
        "shop",
        "Fernhill ClickHouse",
        "clickhouse",
        (("hostname", "clickhouse.fernhilltea.example"), ("port", 8443), ("username", "hex")),
    ),
    Connection("old", "Old Redshift (do not use)", "redshift"),
    Connection("files", "Partner MotherDuck", "motherduck"),
)

COLLECTIONS: tuple[Collection, ...] = (
    Collection("Finance", "Numbers for the board", ADA),
    Collection("Marketing", None, CHIARA),
    Collection("Operations / Leipzig", "Stock, returns & suppliers", DEV),
)

CATEGORIES: tuple[Category, ...] = (
    Category("KPI", "Agreed figures"),
    Category("Exploration"),
    Category("Marketing: paid", "Search and social"),
    Category('Board "pack"', "Shown to the board"),
)

STATUSES: tuple[str, ...] = ("Approved", "In development", "Needs review: v2.1", "Deprecated")


def _day(year: int, month: int, day: int, hour: int = 10) -> datetime:
    return datetime(year, month, day, hour, 15, 30, 123_000, tzinfo=timezone.utc)


def _sql(
    key: str,
    label: str,
    source: str,
    *runs: Run,
    output: str | None = None,
    executed: str | None = None,
    database: str = "shop",
    fails: bool = False,
) -> Cell:
    return Cell(
        key,
        "SQL",
        label,
        source,
        output or key,
        "shop",
        runs=runs,
        executed=executed,
        database=database,
        fails=fails,
    )


def _views(user: str, *days: int, times: int = 1) -> Run:
    return Run("APP_VIEW", user, days or (1, 2, 3, 4, 5, 6, 7), times)


def _scheduled(user: str, *days: int, times: int = 1) -> Run:
    return Run("SCHEDULED_RUN", user, days or (1, 2, 3, 4, 5, 6, 7), times)


REVENUE_BY_MONTH = """\
SELECT
  toStartOfMonth(ordered_at) AS month,
  category,
  sum(revenue) AS revenue
FROM shop.order_facts
GROUP BY month, category
ORDER BY month"""

ACTIVE_CUSTOMERS = """\
SELECT c.customer_id, c.full_name, c.country, max(o.ordered_at) AS last_order_at
FROM shop.customers AS c
INNER JOIN shop.orders AS o ON o.customer_id = c.customer_id
WHERE o.ordered_at >= now() - INTERVAL 90 DAY
GROUP BY c.customer_id, c.full_name, c.country"""

AUDITED_ORDERS = (
    "SELECT order_id, total FROM shop.orders WHERE order_id IN ("
    + ", ".join(str(number) for number in range(1_000_001, 1_014_001))
    + ") ORDER BY order_id"
)
"""About 126,000 bytes: longer than ClickHouse logs (100,000), so the log loses the comment."""

LONG_TITLE = "Untitled project that somebody named after its whole purpose: " + " and ".join(
    f"question {number} of the {'quarterly' if number % 2 else 'yearly'} review"
    for number in range(1, 9)
)

PROJECTS: tuple[Project, ...] = (
    Project(
        "revenue_overview",
        "Revenue overview",
        ADA,
        ADA,
        created=_day(2025, 1, 14),
        edited=_day(2026, 3, 2),
        published=_day(2026, 3, 2, 11),
        viewed=1,
        description="Revenue by month, category and country.\n\nAsk **Finance** before quoting it.",
        status="Approved",
        categories=("KPI", 'Board "pack"'),
        collections=("Finance",),
        schedules=(Schedule("DAILY", minute=30, hour=7, timezone="Europe/Berlin"),),
        views=(4821, 133, 260, 540),
        versions=12,
        cells=(
            Cell("intro", "MARKDOWN", None, "# Revenue overview\nUpdated every morning."),
            Cell("dates", "COMPONENT_IMPORT", "Date range", component="date_range"),
            _sql(
                "revenue_by_month",
                "Revenue by month",
                REVENUE_BY_MONTH,
                _views(BRUNO, times=2),
                _scheduled(ADA),
            ),
            _sql(
                "revenue_by_country",
                "Revenue by country",
                "SELECT c.country AS country, count() AS orders, sum(o.total) AS revenue\n"
                "FROM shop.orders AS o\n"
                "LEFT JOIN shop.customers AS c ON c.customer_id = o.customer_id\n"
                "WHERE o.status != 'cancelled'\n"
                "  AND o.ordered_at >= now() - INTERVAL {{ days }} DAY\n"
                "GROUP BY c.country",
                Run("APP_VIEW", BRUNO, inputs=(("days", "30"),)),
                Run("APP_VIEW", EMMA, (1, 3, 5), inputs=(("days", "7"),)),
                Run("LOGIC_RUN", ADA, (2,), inputs=(("days", "365"),)),
            ),
            _sql(
                "growth",
                "Growth on the month before",
                "SELECT month, sum(revenue) AS total,\n"
                "  total - lagInFrame(total) OVER (ORDER BY month) AS growth\n"
                "FROM revenue_by_month\nGROUP BY month",
                _scheduled(ADA),
                executed=f"WITH revenue_by_month AS (\n{REVENUE_BY_MONTH}\n)\n"
                "SELECT month, sum(revenue) AS total,\n"
                "  total - lagInFrame(total) OVER (ORDER BY month) AS growth\n"
                "FROM revenue_by_month\nGROUP BY month",
            ),
            Cell(
                "top", "SQL", "Top months", "SELECT * FROM growth ORDER BY total DESC", "top_months"
            ),
            Cell("chart", "CHART", "Revenue by month"),
            Cell("kpi", "METRIC", "Revenue, last 30 days"),
            Cell("table", "DISPLAY_TABLE", "Revenue by country"),
            Cell("map", "MAP", "Where our tea goes 🌍"),
        ),
    ),
    Project(
        "board_pack",
        'Weekly KPIs "board pack" — Q3/Q4',
        ADA,
        DEV,
        created=_day(2025, 2, 3),
        edited=_day(2026, 5, 20),
        published=_day(2026, 5, 20, 12),
        viewed=2,
        description='Goes to the "board" on Mondays.',
        status="Approved",
        categories=('Board "pack"',),
        collections=("Finance", "Operations / Leipzig"),
        schedules=(
            Schedule("WEEKLY", minute=0, hour=6, day_of_week="MONDAY", timezone="Europe/Berlin"),
            Schedule("CUSTOM", cron="15 5 1 */3 *", timezone="UTC"),
        ),
        views=(910, 21, 44, 97),
        versions=30,
        cells=(
            _sql(
                "kpis",
                "Orders, revenue, returns",
                "WITH sold AS (\n"
                "  SELECT toMonday(ordered_at) AS week, count() AS orders, sum(total) AS revenue\n"
                "  FROM orders GROUP BY week\n"
                "), returned AS (\n"
                "  SELECT toMonday(returned_at) AS week, count() AS returns\n"
                "  FROM returns GROUP BY week\n"
                ")\n"
                "SELECT s.week, s.orders, s.revenue, r.returns\n"
                "FROM sold AS s LEFT JOIN returned AS r ON r.week = s.week",
                _views(ADA, 1, 2),
                Run("SCHEDULED_RUN", DEV, (3,)),
                Run("API_RUN", DEV, (4, 6)),
            ),
            _sql(
                "payment_mix",
                "Payment mix",
                "SELECT method, sum(amount) AS amount, count(DISTINCT order_id) AS orders\n"
                "FROM payments GROUP BY method WITH TOTALS",
                _views(ADA, 1, 2, 5),
            ),
            Cell("pivot", "PIVOT", "KPIs by week"),
            Cell("text", "TEXT", None),
        ),
    ),
    Project(
        "customer_360",
        "Customer 360 ⭐️",
        CHIARA,
        CHIARA,
        created=_day(2025, 3, 11),
        edited=_day(2026, 8, 1),
        published=_day(2026, 8, 1, 11),
        viewed=1,
        description="Everything we know of one customer.",
        status="Needs review: v2.1",
        categories=("Exploration",),
        collections=("Marketing",),
        schedules=(Schedule("HOURLY", minute=5, timezone="UTC", enabled=False),),
        views=(2210, 80, 150, 333),
        versions=7,
        selects_version_id=True,
        cells=(
            Cell(
                "shared", "COMPONENT_IMPORT", "Active customers (shared)", component="active_cust"
            ),
            _sql(
                "active",
                "Active customers",
                ACTIVE_CUSTOMERS,
                _views(EMMA),
                output="active_customers",
            ),
            _sql(
                "orders_of_customer",
                "Orders of one customer",
                "SELECT o.order_id, o.ordered_at, o.total,\n"
                "  row_number() OVER (PARTITION BY o.customer_id ORDER BY o.ordered_at) AS nth\n"
                "FROM shop.orders AS o\nWHERE o.customer_id = {{ customer_id }}",
                Run("APP_VIEW", EMMA, (1, 2, 3), 2, (("customer_id", "17"),)),
                Run("APP_VIEW", CHIARA, (2, 4), 1, (("customer_id", "42"),)),
                Run("APP_VIEW", FREELANCER, (6,), 1, (("customer_id", "3"),)),
            ),
            _sql(
                "mail_of_customer",
                "Mails that were opened",
                "SELECT cu.customer_id AS customer_id, countIf(e.event = 'opened') AS opened\n"
                "FROM shop.customers AS cu\n"
                "INNER JOIN marketing.email_events AS e USING (email)\nGROUP BY cu.customer_id",
                _views(EMMA, 1, 2, 3, 4),
            ),
            Cell("input", "INPUT", "customer_id"),
            Cell("explore", "EXPLORE", "Orders, your way"),
            Cell("filter", "FILTER", "Countries"),
        ),
    ),
    Project(
        "segments",
        "Segments {RFM} v2.1",
        CHIARA,
        CHIARA,
        created=_day(2025, 4, 2),
        edited=_day(2026, 6, 7),
        published=_day(2026, 6, 7, 12),
        viewed=4,
        status="In development",
        categories=("Exploration", "KPI"),
        collections=("Marketing",),
        schedules=(Schedule("MONTHLY", minute=10, hour=3, day=1, timezone="UTC"),),
        views=(88, 3, 9, 12),
        versions=4,
        cells=(
            _sql(
                "build",
                "Build segments",
                "CREATE OR REPLACE TABLE shop.customer_segments\n"
                "ENGINE = MergeTree ORDER BY customer_id AS\n"
                "SELECT f.customer_id AS customer_id,\n"
                "  multiIf(sum(f.revenue) > 150, 'gold', sum(f.revenue) > 60, 'silver', 'new')"
                " AS segment,\n"
                "  sum(f.revenue) AS revenue\n"
                "FROM shop.order_facts AS f GROUP BY f.customer_id",
                _scheduled(CHIARA),
                output="built",
            ),
            _sql(
                "sizes",
                "Size of segments",
                "SELECT segment, count() AS customers, avg(revenue) AS mean_revenue\n"
                "FROM shop.customer_segments GROUP BY segment",
                _views(DEV, 1, 2, 5),
                _scheduled(CHIARA),
            ),
            _sql(
                "segment_by_country",
                "Segments by country",
                "SELECT country, segment, count() AS customers\n"
                "FROM (SELECT c.country AS country, s.segment AS segment\n"
                "      FROM shop.customers AS c\n"
                "      INNER JOIN shop.customer_segments AS s\n"
                "        ON s.customer_id = c.customer_id)\n"
                "GROUP BY country, segment",
                _views(DEV, 1, 2, 5),
            ),
            Cell("chart", "VEGA_CHART", "Segments {by} country"),
        ),
    ),
    Project(
        "sales_rollup",
        "Sales roll-up (write-back)",
        DEV,
        DEV,
        created=_day(2025, 5, 5),
        edited=_day(2026, 2, 11),
        published=_day(2026, 2, 11, 12),
        viewed=6,
        description="Fills `shop.daily_sales` every night.",
        status="Approved",
        categories=("KPI",),
        collections=("Operations / Leipzig",),
        schedules=(Schedule("DAILY", minute=0, hour=2, timezone="UTC"),),
        views=(40, 1, 2, 4),
        versions=3,
        cells=(
            _sql(
                "roll_up",
                "Roll up",
                "INSERT INTO shop.daily_sales (day, category, revenue)\n"
                "SELECT toDate(ordered_at) AS day, category, sum(revenue)\n"
                "FROM shop.order_facts\n"
                "WHERE ordered_at >= now() - INTERVAL 2 DAY\nGROUP BY day, category",
                _scheduled(DEV),
                output="written",
            ),
            _sql(
                "check",
                "Check against payments",
                "SELECT d.day AS day, sum(d.revenue) AS sales, sum(p.amount) AS paid\n"
                "FROM daily_sales AS d\n"
                "LEFT JOIN payments AS p ON toDate(p.paid_at) = d.day\nGROUP BY d.day",
                _scheduled(DEV),
            ),
            Cell("writeback", "WRITEBACK", "To shop.daily_sales"),
        ),
    ),
    Project(
        "stock",
        "Inventory & stock-outs",
        DEV,
        DEV,
        created=_day(2025, 6, 17),
        edited=_day(2026, 7, 9),
        published=_day(2026, 7, 9, 12),
        viewed=1,
        status="Approved",
        collections=("Operations / Leipzig",),
        schedules=(Schedule("HOURLY", minute=0, timezone="Europe/Berlin"),),
        views=(1500, 61, 118, 250),
        versions=9,
        cells=(
            _sql(
                "on_hand",
                "On hand",
                "SELECT p.title, s.warehouse_city, argMax(s.on_hand, s.counted_on) AS on_hand\n"
                "FROM shop.stock_levels AS s\n"
                "INNER JOIN shop.products AS p ON p.product_id = s.product_id\n"
                "GROUP BY p.title, s.warehouse_city",
                _scheduled(DEV, times=6),
                _views(BRUNO, 1, 2, 3),
            ),
            _sql(
                "stock_outs",
                "Days without stock",
                "SELECT product_id, countIf(on_hand = 0) AS days_out\n"
                "FROM (SELECT *, row_number() OVER (PARTITION BY product_id, counted_on"
                " ORDER BY warehouse_city) AS n FROM stock_levels)\n"
                "WHERE n = 1\nGROUP BY product_id",
                _scheduled(DEV, times=6),
            ),
            Cell(
                "section",
                "COLLAPSIBLE",
                "Details",
                children=(
                    _sql(
                        "never_sold",
                        "Never sold",
                        "SELECT title FROM products WHERE product_id NOT IN"
                        " (SELECT product_id FROM order_items)",
                        _views(BRUNO, 2, 4),
                    ),
                    Cell("detail_table", "DISPLAY_TABLE", "Never sold"),
                ),
            ),
        ),
    ),
    Project(
        "returns",
        "Returns: why, who, when?",
        BRUNO,
        LEFT_COMPANY,
        created=_day(2025, 7, 21),
        edited=_day(2026, 9, 15),
        published=_day(2026, 9, 15, 11),
        viewed=3,
        status="Needs review: v2.1",
        collections=("Operations / Leipzig",),
        views=(300, 12, 20, 41),
        versions=5,
        cells=(
            _sql(
                "reasons",
                "Reasons",
                "SELECT r.reason AS reason, p.category_id AS category_id, count() AS returns\n"
                "FROM shop.returns AS r, shop.products AS p\n"
                "WHERE r.product_id = p.product_id\nGROUP BY reason, category_id",
                _views(BRUNO, 1, 3, 4, 7),
            ),
            _sql(
                "return_rate",
                "Return rate",
                "SELECT toStartOfWeek(o.ordered_at) AS week,\n"
                "  countDistinct(r.return_id) / count() AS rate\n"
                "FROM shop.orders AS o LEFT JOIN shop.returns AS r ON r.order_id = o.order_id\n"
                "GROUP BY week",
                _views(BRUNO, 1, 3, 4, 7),
                Run("LOGIC_RUN", BRUNO, (3,), 3),
            ),
            _sql(
                "refunds",
                "Refunds",
                "SELECT order_id, amount FROM shop.refunds",
                Run("LOGIC_RUN", BRUNO, (3, 5)),
                fails=True,
            ),
            Cell("chart", "CHART", "Returns by reason"),
        ),
    ),
    Project(
        "campaign_roi",
        "Campaign ROI",
        CHIARA,
        CHIARA,
        created=_day(2025, 8, 25),
        edited=_day(2026, 10, 1),
        published=_day(2026, 10, 1, 11),
        viewed=1,
        description="Cost against revenue, last touch.",
        status="Approved",
        categories=("Marketing: paid", "KPI"),
        collections=("Marketing",),
        schedules=(Schedule("DAILY", minute=45, hour=5, timezone="Europe/Paris"),),
        views=(700, 35, 66, 120),
        versions=8,
        cells=(
            _sql(
                "spend",
                "Spend by channel",
                "SELECT c.channel AS channel, sum(a.cost) AS cost, sum(a.clicks) AS clicks\n"
                "FROM ad_spend AS a INNER JOIN campaigns AS c USING (campaign_id)\n"
                "GROUP BY c.channel",
                _scheduled(CHIARA),
                _views(EMMA, 1, 2),
                database="marketing",
            ),
            _sql(
                "roi",
                "Return on spend",
                "WITH touched AS (\n"
                "  SELECT customer_id, argMax(campaign_id, started_at) AS last_campaign_id\n"
                "  FROM marketing.web_sessions\n"
                "  WHERE customer_id IS NOT NULL AND campaign_id IS NOT NULL\n"
                "  GROUP BY customer_id\n"
                "), earned AS (\n"
                "  SELECT t.last_campaign_id AS campaign_id, sum(f.revenue) AS revenue\n"
                "  FROM touched AS t INNER JOIN shop.order_facts AS f"
                " ON f.customer_id = t.customer_id\n"
                "  GROUP BY t.last_campaign_id\n"
                ")\n"
                "SELECT c.name AS campaign, e.revenue AS revenue, s.cost AS cost,\n"
                "  e.revenue / s.cost AS roi\n"
                "FROM marketing.campaigns AS c\n"
                "LEFT JOIN earned AS e ON e.campaign_id = c.campaign_id\n"
                "LEFT JOIN (SELECT campaign_id, sum(cost) AS cost FROM marketing.ad_spend"
                " GROUP BY campaign_id) AS s ON s.campaign_id = c.campaign_id",
                _scheduled(CHIARA),
                _views(EMMA, 1, 2, 3),
                database="marketing",
            ),
            _sql(
                "promotions",
                "Promotion days",
                "SELECT day, promotion FROM calendar WHERE promotion != ''",
                _views(EMMA, 1, 4),
                database="marketing",
            ),
            Cell("chart", "CHART", "ROI by campaign"),
            Cell("kpi", "METRIC", "Cost per click"),
        ),
    ),
    Project(
        "funnel",
        "Web funnel",
        EMMA,
        CHIARA,
        created=_day(2025, 9, 30),
        edited=_day(2026, 9, 30),
        published=_day(2026, 9, 30, 15),
        viewed=2,
        status="In development",
        categories=("Marketing: paid",),
        collections=("Marketing",),
        views=(150, 9, 14, 30),
        versions=2,
        cells=(
            _sql(
                "steps",
                "Steps",
                "SELECT step, count() AS sessions, uniqExact(customer_id) AS customers\n"
                "FROM marketing.web_sessions\n"
                "WHERE started_at >= now() - toIntervalDay(14)\nGROUP BY step",
                _views(EMMA, 1, 2, 6),
                Run("LOGIC_RUN", EMMA, (1,), 4),
            ),
            _sql(
                "countries",
                "Sessions by country",
                "SELECT country, count() AS sessions FROM marketing.web_sessions\n"
                "GROUP BY country\nUNION ALL\n"
                "SELECT country, count() AS sessions FROM shop.customers GROUP BY country",
                _views(EMMA, 1, 2, 6),
            ),
            Cell("map", "MAP", "Sessions"),
            Cell("funnel", "CHART", "Funnel"),
        ),
    ),
    Project(
        "mail",
        "E-mail engagement",
        FREELANCER,
        FREELANCER,
        created=_day(2025, 10, 6),
        edited=_day(2026, 4, 18),
        published=_day(2026, 4, 18, 12),
        viewed=5,
        status="In development",
        collections=("Marketing",),
        views=(77, 2, 5, 11),
        cells=(
            _sql(
                "opened",
                "Opened by campaign",
                "SELECT c.name AS campaign, countIf(e.event = 'opened') AS opened,\n"
                "  countIf(e.event = 'clicked') AS clicked\n"
                "FROM email_events AS e JOIN campaigns AS c ON c.campaign_id = e.campaign_id\n"
                "GROUP BY c.name",
                Run("APP_VIEW", EMMA, (1, 5), comment="legacy"),
                Run("SCHEDULED_RUN", FREELANCER, (2, 3), comment="legacy"),
                database="marketing",
            ),
            _sql(
                "leads",
                "Leads (scratch)",
                "SELECT l.email AS email, l.score AS score, c.customer_id AS customer_id\n"
                "FROM marketing.scratch_leads AS l\n"
                "LEFT JOIN shop.customers AS c ON c.email = l.email",
                _views(EMMA, 1, 5),
            ),
            Cell("chart", "CHART", "Open rate"),
        ),
    ),
    Project(
        "ab_test",
        "A/B test: checkout 💳 button",
        EMMA,
        EMMA,
        created=_day(2026, 6, 1),
        edited=_day(2026, 10, 20),
        published=_day(2026, 10, 20, 11),
        viewed=1,
        status="In development",
        categories=("Exploration",),
        views=(64, 20, 40, 64),
        cells=(
            _sql(
                "result",
                "Result",
                "SELECT t.variant AS variant, avg(t.converted) AS rate,\n"
                "  count(o.order_id) AS orders\n"
                "FROM shop.tmp_checkout_test AS t\n"
                "LEFT JOIN shop.orders AS o ON o.customer_id = t.customer_id\n"
                "GROUP BY t.variant",
                _views(DEV, 1, 2, 3, 4, 5),
            ),
            Cell("chart", "CHART", "Conversion: A/B"),
        ),
    ),
    Project(
        "forecast",
        "Demand forecast",
        BRUNO,
        BRUNO,
        created=_day(2025, 11, 3),
        edited=_day(2026, 10, 10),
        published=_day(2026, 10, 10, 12),
        viewed=2,
        status="Approved",
        collections=("Operations / Leipzig",),
        schedules=(Schedule("WEEKLY", minute=20, hour=4, day_of_week="SUNDAY"),),
        views=(210, 8, 15, 33),
        versions=6,
        cells=(
            _sql(
                "series",
                "Daily series without gaps",
                "SELECT toDate(ordered_at) AS day, sum(total) AS revenue\n"
                "FROM shop.orders\nGROUP BY day\n"
                "ORDER BY day WITH FILL STALENESS INTERVAL 7 DAY",
                _scheduled(BRUNO),
                _views(ADA, 2),
            ),
            _sql(
                "holidays",
                "Holidays",
                "SELECT day FROM calendar WHERE is_holiday = 1",
                _scheduled(BRUNO),
            ),
            _sql(
                "history",
                "History (read by Python)",
                "SELECT product_id, sum(quantity) AS sold FROM shop.order_items"
                " GROUP BY product_id",
                Run("SCHEDULED_RUN", BRUNO, comment="none"),
            ),
            Cell(
                "model",
                "CODE",
                "Model",
                "import hextoolkit\nmodel = fit(series, holidays)",
            ),
            Cell("chart", "CHART", "Forecast"),
        ),
    ),
    Project(
        "audit",
        "Order audit (very long list)",
        ADA,
        ADA,
        created=_day(2026, 1, 19),
        edited=_day(2026, 9, 1),
        published=_day(2026, 9, 1, 12),
        viewed=7,
        status="Approved",
        collections=("Finance",),
        views=(9, 1, 1, 2),
        cells=(
            _sql("audited", "Audited orders", AUDITED_ORDERS, _scheduled(ADA, 2, 4)),
            _sql(
                "paid",
                "Paid twice",
                "SELECT order_id FROM shop.payments GROUP BY order_id HAVING count() > 1",
                _scheduled(ADA, 2, 4),
            ),
            Cell("table", "DISPLAY_TABLE", "Paid twice"),
        ),
    ),
    Project(
        "old_finance",
        "Old finance dashboard",
        ADA,
        LEFT_COMPANY,
        created=_day(2024, 3, 5),
        edited=_day(2025, 2, 1),
        published=_day(2024, 9, 1),
        archived=_day(2026, 2, 1),
        viewed=200,
        status="Deprecated",
        collections=("Finance",),
        views=(5120, 0, 0, 0),
        cells=(
            _sql(
                "revenue",
                "Revenue",
                "SELECT toDate(paid_at) AS day, sum(amount) AS revenue FROM payments GROUP BY day",
                Run("APP_VIEW", ADA, (6, 7)),
            ),
            Cell("chart", "CHART", "Revenue"),
        ),
    ),
    Project(
        "copy",
        "Copy of Revenue overview",
        BRUNO,
        BRUNO,
        created=_day(2026, 7, 1),
        edited=_day(2026, 7, 1, 12),
        trashed=_day(2026, 7, 2),
        cells=(_sql("revenue_by_month", "Revenue by month", REVENUE_BY_MONTH),),
    ),
    Project(
        "untitled",
        "Untitled",
        None,
        None,
        created=3,
        edited=2,
        cells=(
            _sql(
                "peek",
                "",
                "SELECT * FROM orders LIMIT 100",
                Run("LOGIC_RUN", BRUNO, (1, 2), 2),
            ),
            Cell("code", "CODE", None, "peek.describe()"),
        ),
    ),
    Project(
        "long_draft",
        LONG_TITLE,
        LEFT_COMPANY,
        LEFT_COMPANY,
        created=_day(2025, 12, 1),
        edited=_day(2025, 12, 2),
        description="Never finished.",
        status="In development",
        cells=(
            _sql(
                "answers",
                "Answers",
                "SELECT i.order_id AS order_id, any(p.title) AS title\n"
                "FROM order_items AS i ANY LEFT JOIN products AS p USING (product_id)\n"
                "GROUP BY i.order_id",
                Run("LOGIC_RUN", DEV, (7,)),
            ),
        ),
    ),
    Project(
        "holiday",
        "Holiday 2024 countdown",
        BRUNO,
        BRUNO,
        created=_day(2024, 11, 1),
        edited=_day(2024, 11, 20),
        published=_day(2024, 11, 20, 12),
        description="Dead: no query and no view for a year.",
        cells=(Cell("text", "MARKDOWN", None, "Only some more days!"),),
    ),
    Project(
        "date_range",
        "Date range picker",
        DEV,
        DEV,
        created=_day(2025, 1, 2),
        edited=_day(2025, 1, 20),
        published=_day(2025, 1, 20, 12),
        component=True,
        status="Approved",
        cells=(Cell("input", "INPUT", "date_range"),),
    ),
    Project(
        "active_cust",
        "Active customers / shared SQL",
        FREELANCER,
        FREELANCER,
        created=_day(2025, 1, 8),
        edited=_day(2026, 8, 1),
        published=_day(2026, 8, 1, 10),
        description="Who ordered in the last 90 days.",
        component=True,
        status="Approved",
        categories=("KPI",),
        cells=(
            _sql(
                "active",
                "Active customers",
                ACTIVE_CUSTOMERS,
                Run("LOGIC_RUN", FREELANCER, (7,)),
                output="active_customers",
            ),
        ),
    ),
)
"""Twenty projects: two components, three drafts, one archived, one trashed, one dead."""
