"""The demo's three servers, filled with the sample workspace, and settings that point to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import yaml

from hex_assets.demo import workspace
from hex_assets.demo.clickhouse_server import ClickHouseServer, StatementFailed
from hex_assets.demo.hex_server import TOKEN as HEX_TOKEN
from hex_assets.demo.hex_server import HexServer
from hex_assets.demo.openmetadata_server import BOT_TOKEN, OpenMetadataServer
from hex_assets.settings import CONFIG_VARIABLE

WAREHOUSE = "shop_clickhouse"
DATABASE_SERVICE = "clickhouse_prod"
CATALOG_DATABASE = "default"
"""OpenMetadata's ClickHouse connector puts ClickHouse's databases below this one, as schemas."""

CATALOG_TYPES = {
    "UInt64": "BIGINT",
    "UInt32": "INT",
    "Int64": "BIGINT",
    "Int32": "INT",
    "UInt8": "TINYINT",
    "Float64": "DOUBLE",
    "Date": "DATE",
    "DateTime": "DATETIME",
}


@dataclass(frozen=True)
class Demo:
    """The running servers and the folder that everything is kept in."""

    folder: Path
    hex_server: HexServer
    clickhouse: ClickHouseServer
    openmetadata: OpenMetadataServer
    executed_count: int
    """Statements that really ran in the warehouse."""

    @property
    def settings_file(self) -> Path:
        """The settings that point to the servers."""
        return self.folder / "hex_assets.yaml"

    def environment(self) -> dict[str, str]:
        """What a command needs to work on the demo. The tokens are those of local stand-ins."""
        return {
            CONFIG_VARIABLE: str(self.settings_file),
            "DAGSTER_HOME": str(self.folder / "dagster_home"),
            "HEX_TOKEN": HEX_TOKEN,
            "OPENMETADATA_JWT_TOKEN": BOT_TOKEN,
        }


@contextmanager
def demo_servers(folder: Path) -> Iterator[Demo]:
    """Start the servers on loopback, fill them and write the settings; all end with the block."""
    folder = folder.resolve()
    (folder / "dagster_home").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        hex_server = stack.enter_context(HexServer())
        openmetadata = stack.enter_context(OpenMetadataServer())
        clickhouse = stack.enter_context(ClickHouseServer(folder / "clickhouse"))
        _fill_catalog(openmetadata)
        executed_count = _fill_warehouse(clickhouse, hex_server.url)
        demo = Demo(folder, hex_server, clickhouse, openmetadata, executed_count)
        _write_settings(demo)
        yield demo


def _fill_catalog(server: OpenMetadataServer) -> None:
    names = {
        f"{DATABASE_SERVICE}.{CATALOG_DATABASE}.{table.full_name}": table
        for table in workspace.CATALOG_TABLES
    }
    server.seed(
        {
            name: [(column, CATALOG_TYPES.get(kind, "STRING")) for column, kind in table.columns]
            for name, table in names.items()
        },
        users=[person.email.lower() for person in workspace.CATALOG_USERS],
        views={name for name, table in names.items() if table.view},
    )


def _fill_warehouse(server: ClickHouseServer, hex_url: str) -> int:
    for database in workspace.DATABASES:
        server.run(f"DROP DATABASE IF EXISTS {database}")
    for statement in workspace.WAREHOUSE_DDL:
        server.run(statement)
    executed_count = 0
    for execution in workspace.executions(hex_url):
        try:
            server.run(execution.text, database=execution.database, query_id=execution.query_id)
        except StatementFailed:
            if not execution.fails:
                raise
        executed_count += 1
    server.flush()
    return executed_count


def _write_settings(demo: Demo) -> None:
    settings: Mapping[str, object] = {
        "startDate": (date.today() - timedelta(days=30)).isoformat(),
        "hex": {"hostPort": demo.hex_server.url, "token": {"env": "HEX_TOKEN"}},
        "warehouses": {
            WAREHOUSE: {
                "type": "clickhouse",
                "host": demo.clickhouse.host,
                "port": demo.clickhouse.port,
                "secure": False,
                # A view of system.query_log that spreads today's executions over the past week.
                "queryLogTable": "demo.query_log",
                "openmetadataService": DATABASE_SERVICE,
                "defaultCatalog": CATALOG_DATABASE,
            }
        },
        "openmetadata": {
            "hostPort": f"{demo.openmetadata.url}/api",
            "token": {"env": "OPENMETADATA_JWT_TOKEN"},
        },
        "storage": {"path": str(demo.folder / "tables")},
    }
    demo.settings_file.write_text(
        "# Settings of the demo; its servers listen only while it runs.\n"
        + yaml.safe_dump(dict(settings), sort_keys=False)
    )
    home = demo.folder / "dagster_home" / "dagster.yaml"
    home.write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
