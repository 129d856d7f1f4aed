"""Table functions whose arguments name a table or a file of the warehouse."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.names import constant_text, parts_of_text

REMOTE = frozenset({"remote", "remotesecure", "cluster", "clusterallreplicas"})
"""ClickHouse's functions that name a table after the address or the cluster."""
_NAMES_A_TABLE = {
    "databricks": frozenset({"table_changes", "identifier", "stream"}),
    "spark": frozenset({"table_changes", "identifier"}),
    "clickhouse": frozenset({"dictionary"}),
    "tsql": frozenset({"containstable", "freetexttable"}),
}
_FILE_FUNCTIONS = {
    "clickhouse": {
        **dict.fromkeys(
            "s3 url file hdfs gcs cosn oss deltalake deltalakes3 iceberg icebergs3 iceberglocal "
            "hudi".split(),
            0,
        ),
        **dict.fromkeys("s3cluster urlcluster filecluster hdfscluster deltalakecluster".split(), 1),
    },
    "duckdb": dict.fromkeys(
        "read_parquet parquet_scan parquet_metadata parquet_schema read_csv read_csv_auto "
        "sniff_csv read_json read_json_auto read_json_objects read_ndjson read_ndjson_auto "
        "read_ndjson_objects read_text read_blob read_xlsx st_read iceberg_scan delta_scan "
        "read_avro".split(),
        0,
    ),
    "databricks": dict.fromkeys(["read_files", "cloud_files"], 0),
    "tsql": {"openrowset": 0},
}
GENERATED = {"numbers": "number", "numbers_mt": "number", "zeros": "zero", "zeros_mt": "zero"}
"""ClickHouse's generators of rows, with their only column."""
# Functions in FROM of which each row is one value, named by the alias.
_SCALAR_ROWS = frozenset(
    "plainto_tsquery to_tsquery websearch_to_tsquery phraseto_tsquery regexp_split_to_table "
    "string_to_table regexp_matches generate_subscripts jsonb_object_keys json_object_keys "
    "jsonb_path_query now".split()
)
_JSON_ROWS = {
    **dict.fromkeys(["json_each", "jsonb_each", "json_each_text", "jsonb_each_text"], "key value"),
    **dict.fromkeys(["json_array_elements", "jsonb_array_elements"], "value"),
    **dict.fromkeys(["json_array_elements_text", "jsonb_array_elements_text"], "value"),
}
_OF_SPARK = {
    **dict.fromkeys(["explode", "explode_outer"], "col key value"),
    **dict.fromkeys(["posexplode", "posexplode_outer"], "pos col key value"),
    **dict.fromkeys(["variant_explode", "variant_explode_outer"], "pos key value"),
    "_explodeouter": "col key value",
    "posexplodeouter": "pos col key value",
}
_COLUMNS_OF = {
    "databricks": {name: columns.split() for name, columns in _OF_SPARK.items()},
    "postgres": {name: columns.split() for name, columns in _JSON_ROWS.items()},
    "tsql": {
        "string_split": ["value", "ordinal"],
        "generate_series": ["value"],
    },
}
_DIALECTS_ALIKE = {"spark": "databricks", "hive": "databricks"}


def call_name(call: exp.Expr) -> str:
    """The folded name of a function as the text has it."""
    if isinstance(call, exp.Anonymous):
        return str(call.name).casefold()
    if isinstance(call, exp.ReadParquet):
        return "read_parquet"
    if isinstance(call, exp.ReadCSV):
        return "read_csv"
    return call.key


def name_of(call: exp.Expr) -> str:
    """The name of a function as the text has it."""
    return str(call.name) if isinstance(call, exp.Anonymous) else call_name(call)


def columns_of(call: exp.Expr, dialect: str, alias: str) -> list[str]:
    """The columns of a table function that are known by its documentation; else none."""
    name = call_name(call)
    if dialect in ("postgres", "redshift") and name in _SCALAR_ROWS:
        return [alias or name]
    known = _COLUMNS_OF.get(_DIALECTS_ALIKE.get(dialect, dialect), {}).get(name, ())
    return [*known, alias] if len(known) == 1 and alias else list(known)


def arguments(call: exp.Expr) -> list[exp.Expr]:
    """The arguments of a function, in order."""
    given = call.args.get("this")
    first = [given] if isinstance(given, exp.Expr) else []
    if isinstance(call, exp.Anonymous):
        first = []
    return [*first, *call.expressions]


def files_of(call: exp.Expr, dialect: str) -> list[str]:
    """Paths and URLs that a table function reads or writes."""
    if isinstance(call, exp.TableFromRows) and isinstance(call.this, exp.Expr):
        call = call.this
    known = _FILE_FUNCTIONS.get(_DIALECTS_ALIKE.get(dialect, dialect), {})
    position = known.get(call_name(call))
    given = arguments(call)
    if dialect == "tsql" and len(given) > 1 and isinstance(given[1], exp.Literal):
        return []  # OPENROWSET of a provider, not of a file
    if dialect == "snowflake" and call_name(call) == "infer_schema":
        told = [item for item in given if isinstance(item, exp.Kwarg)]
        given = [item.expression for item in told if item.this.name.casefold() == "location"]
        position = 0
    if position is None or position >= len(given):
        return []
    paths = given[position]
    items = paths.expressions if isinstance(paths, (exp.Array, exp.List)) else [paths]
    return [item.name for item in items if isinstance(item, exp.Literal) and item.is_string]


def table_of(call: exp.Expr, dialect: str) -> tuple[str, ...]:
    """The table that a table function stands for; nothing for other functions."""
    name = call_name(call)
    given = arguments(call)
    if dialect == "clickhouse" and given and all(isinstance(item, exp.EQ) for item in given):
        return (name_of(call),)  # a parameterised view
    if dialect == "clickhouse" and name in REMOTE and len(given) > 1:
        return _database_and_table(given[1:3])
    if dialect == "clickhouse" and name == "loop" and given:
        return _database_and_table(given[:2])
    if given and name in _NAMES_A_TABLE.get(dialect, ()):
        first = given[0]
        if dialect == "tsql":
            return _path(first)
        text = constant_text(first)
        if text is not None:
            return parts_of_text(text)
    return ()


def is_dynamic(call: exp.Expr, dialect: str) -> bool:
    """Whether a function names a table by a value that is known only when it runs."""
    if dialect == "clickhouse":
        return call_name(call) == "merge"
    asked = _DIALECTS_ALIKE.get(dialect, dialect) == "databricks"
    return asked and call_name(call) == "identifier"


def _database_and_table(given: list[exp.Expr]) -> tuple[str, ...]:
    """ClickHouse's `db.t`, 'db.t' or 'db', 't' among arguments."""
    parts = _path(given[0])
    table = _path(given[1]) if len(parts) == 1 and len(given) > 1 else ()
    return (*parts, *table) if len(table) == 1 else parts


def _path(node: exp.Expr) -> tuple[str, ...]:
    if isinstance(node, exp.Literal) and node.is_string:
        return parts_of_text(node.name)
    if isinstance(node, exp.Column):
        return tuple(part.name for part in node.parts)
    return ()


def parameterised(node: exp.Table) -> tuple[str, ...]:
    """ClickHouse's db.view(a = 1) and dictionary('db.d'): the table that they stand for."""
    inner, database = node.this, node.args.get("db")
    if isinstance(inner, exp.Anonymous) and database is not None:
        return (database.name, inner.name)
    alias = node.args.get("alias")
    named_so = isinstance(inner, exp.Identifier) and inner.name.casefold() == "dictionary"
    if named_so and database is None and alias is not None and alias.this is None:
        columns = alias.columns
        path = columns[0] if len(columns) == 1 else None
        if isinstance(path, exp.Dot):
            return (path.this.name, path.expression.name)
        return parts_of_text(path.name) if path is not None else ()
    return ()
