"""The sample warehouse: the databases of Fernhill Tea, an online shop."""

from __future__ import annotations

from hex_assets.demo.workspace_model import WarehouseTable

TABLES: tuple[WarehouseTable, ...] = (
    WarehouseTable(
        "shop",
        "customers",
        (
            ("customer_id", "UInt64"),
            ("email", "String"),
            ("full_name", "String"),
            ("country", "LowCardinality(String)"),
            ("signed_up_at", "DateTime"),
        ),
        "SELECT number + 1, concat('c', toString(number + 1), '@example.org'), "
        "concat('Customer ', toString(number + 1)), ['DE', 'FR', 'GB', 'SE'][number % 4 + 1], "
        "now() - toIntervalDay(number * 9) FROM numbers(60)",
        "customer_id",
    ),
    WarehouseTable(
        "shop",
        "products",
        (
            ("product_id", "UInt64"),
            ("sku", "String"),
            ("title", "String"),
            ("category_id", "UInt32"),
            ("unit_cost", "Decimal(10, 2)"),
            ("list_price", "Decimal(10, 2)"),
        ),
        "SELECT number + 1, concat('TEA-', toString(number + 1)), "
        "concat('Tea ', toString(number + 1)), number % 4 + 1, 3 + number % 5, 9 + number % 7 "
        "FROM numbers(24)",
        "product_id",
    ),
    WarehouseTable(
        "shop",
        "product_categories",
        (("category_id", "UInt32"), ("name", "String")),
        "VALUES (1, 'Black'), (2, 'Green'), (3, 'Herbal'), (4, 'Gear')",
        "category_id",
    ),
    WarehouseTable(
        "shop",
        "orders",
        (
            ("order_id", "UInt64"),
            ("customer_id", "UInt64"),
            ("ordered_at", "DateTime"),
            ("status", "LowCardinality(String)"),
            ("total", "Decimal(12, 2)"),
            ("note", "String"),
        ),
        "SELECT number + 1, number % 60 + 1, now() - toIntervalHour(number * 7), "
        "['paid', 'shipped', 'cancelled'][number % 3 + 1], 12 + number % 90, '' FROM numbers(400)",
        "order_id",
    ),
    WarehouseTable(
        "shop",
        "order_items",
        (
            ("order_id", "UInt64"),
            ("product_id", "UInt64"),
            ("quantity", "UInt32"),
            ("unit_price", "Decimal(10, 2)"),
        ),
        "SELECT number % 400 + 1, number % 24 + 1, number % 3 + 1, 9 + number % 7 "
        "FROM numbers(900)",
        "order_id",
    ),
    WarehouseTable(
        "shop",
        "payments",
        (
            ("payment_id", "UInt64"),
            ("order_id", "UInt64"),
            ("method", "LowCardinality(String)"),
            ("amount", "Decimal(12, 2)"),
            ("paid_at", "DateTime"),
        ),
        "SELECT number + 1, number + 1, ['card', 'paypal', 'invoice'][number % 3 + 1], "
        "12 + number % 90, now() - toIntervalHour(number * 7 - 1) FROM numbers(1, 360)",
        "payment_id",
    ),
    WarehouseTable(
        "shop",
        "returns",
        (
            ("return_id", "UInt64"),
            ("order_id", "UInt64"),
            ("product_id", "UInt64"),
            ("reason", "String"),
            ("returned_at", "DateTime"),
        ),
        "SELECT number + 1, number * 9 + 1, number % 24 + 1, "
        "['broken', 'late', 'taste'][number % 3 + 1], now() - toIntervalDay(number) "
        "FROM numbers(40)",
        "return_id",
    ),
    WarehouseTable(
        "shop",
        "stock_levels",
        (
            ("product_id", "UInt64"),
            ("warehouse_city", "String"),
            ("counted_on", "Date"),
            ("on_hand", "Int32"),
        ),
        "SELECT number % 24 + 1, ['Leipzig', 'Lyon'][number % 2 + 1], "
        "today() - toUInt16(number % 20), number % 50 FROM numbers(480)",
        "product_id, counted_on",
    ),
    WarehouseTable(
        "shop",
        "calendar",
        (("day", "Date"), ("is_holiday", "UInt8")),
        "SELECT today() - toUInt16(number), number % 7 = 0 FROM numbers(60)",
        "day",
    ),
    WarehouseTable(
        "shop",
        "daily_sales",
        (("day", "Date"), ("category", "String"), ("revenue", "Decimal(14, 2)")),
        order_by="day",
    ),
    WarehouseTable(
        "shop",
        "customer_segments",
        (("customer_id", "UInt64"), ("segment", "String"), ("revenue", "Decimal(38, 2)")),
        order_by="customer_id",
    ),
    WarehouseTable(
        "shop",
        "order_facts",
        (
            ("order_id", "UInt64"),
            ("customer_id", "UInt64"),
            ("ordered_at", "DateTime"),
            ("category", "String"),
            ("revenue", "Decimal(10, 2)"),
        ),
        view=(
            "SELECT o.order_id AS order_id, o.customer_id AS customer_id, "
            "o.ordered_at AS ordered_at, c.name AS category, i.quantity * i.unit_price AS revenue "
            "FROM shop.orders AS o INNER JOIN shop.order_items AS i ON i.order_id = o.order_id "
            "INNER JOIN shop.products AS p ON p.product_id = i.product_id "
            "INNER JOIN shop.product_categories AS c ON c.category_id = p.category_id "
            "WHERE o.status != 'cancelled'"
        ),
    ),
    WarehouseTable(
        "shop",
        "tmp_checkout_test",
        (("customer_id", "UInt64"), ("variant", "String"), ("converted", "UInt8")),
        "SELECT number + 1, ['A', 'B'][number % 2 + 1], number % 3 = 0 FROM numbers(60)",
        "customer_id",
        in_catalog=False,
    ),
    WarehouseTable(
        "marketing",
        "campaigns",
        (
            ("campaign_id", "UInt32"),
            ("name", "String"),
            ("channel", "LowCardinality(String)"),
            ("starts_on", "Date"),
        ),
        "SELECT number + 1, concat('Campaign ', toString(number + 1)), "
        "['search', 'social', 'mail'][number % 3 + 1], today() - 90 FROM numbers(9)",
        "campaign_id",
    ),
    WarehouseTable(
        "marketing",
        "ad_spend",
        (
            ("campaign_id", "UInt32"),
            ("spent_on", "Date"),
            ("impressions", "UInt64"),
            ("clicks", "UInt64"),
            ("cost", "Decimal(12, 2)"),
        ),
        "SELECT number % 9 + 1, today() - toUInt16(number % 30), 1000 + number, number % 80, "
        "5 + number % 40 FROM numbers(270)",
        "campaign_id, spent_on",
    ),
    WarehouseTable(
        "marketing",
        "web_sessions",
        (
            ("session_id", "UInt64"),
            ("customer_id", "Nullable(UInt64)"),
            ("campaign_id", "Nullable(UInt32)"),
            ("started_at", "DateTime"),
            ("country", "LowCardinality(String)"),
            ("page_views", "UInt32"),
            ("step", "LowCardinality(String)"),
        ),
        "SELECT number + 1, if(number % 3 = 0, number % 60 + 1, NULL), "
        "if(number % 2 = 0, number % 9 + 1, NULL), now() - toIntervalMinute(number * 20), "
        "['DE', 'FR', 'GB', 'SE'][number % 4 + 1], number % 12, "
        "['visit', 'basket', 'checkout', 'paid'][number % 4 + 1] FROM numbers(1200)",
        "session_id",
    ),
    WarehouseTable(
        "marketing",
        "email_events",
        (
            ("email", "String"),
            ("campaign_id", "UInt32"),
            ("event", "LowCardinality(String)"),
            ("happened_at", "DateTime"),
        ),
        "SELECT concat('c', toString(number % 60 + 1), '@example.org'), number % 9 + 1, "
        "['sent', 'opened', 'clicked'][number % 3 + 1], now() - toIntervalHour(number) "
        "FROM numbers(300)",
        "happened_at",
    ),
    WarehouseTable(
        "marketing",
        "calendar",
        (("day", "Date"), ("promotion", "String")),
        "SELECT today() - toUInt16(number), if(number % 10 = 0, 'sale', '') FROM numbers(60)",
        "day",
    ),
    WarehouseTable(
        "marketing",
        "scratch_leads",
        (("email", "String"), ("score", "Float64")),
        "SELECT concat('lead', toString(number), '@example.net'), number / 10 FROM numbers(20)",
        "email",
        in_catalog=False,
    ),
)
"""Every table and view, in the order in which they can be created."""

DATABASES: tuple[str, ...] = tuple(dict.fromkeys(table.database for table in TABLES))

WAREHOUSE_DDL: tuple[str, ...] = (
    *(f"CREATE DATABASE IF NOT EXISTS {database}" for database in DATABASES),
    *(statement for table in TABLES for statement in table.ddl()),
)
"""ClickHouse statements that make the sample warehouse."""

CATALOG_TABLES: tuple[WarehouseTable, ...] = tuple(table for table in TABLES if table.in_catalog)
"""What the catalog knows: all but `shop.tmp_checkout_test` and `marketing.scratch_leads`."""
