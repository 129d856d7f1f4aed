"""What rows of unnested values and of functions are certain to offer.

Of UNNEST the fields of a struct or row are columns, too.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from hex_assets.lineage.engine.relations import (
    MAYBE,
    NO,
    NOTHING,
    WEAK,
    Derived,
    Origins,
    Produced,
    Relation,
)
from hex_assets.lineage.engine.trees.functions import columns_of

_SCALARS = (
    exp.GenerateDateArray,
    exp.GenerateTimestampArray,
    exp.GenerateSeries,
    exp.Split,
    exp.RegexpExtractAll,
    exp.JSONExtractArray,
    exp.JSONValueArray,
)
_SCALAR_FUNCTIONS = frozenset(
    {"GENERATE_ARRAY", "SPLIT", "REGEXP_EXTRACT_ALL", "JSON_VALUE_ARRAY", "JSON_QUERY_ARRAY"}
)
_PAIR = ("key", "value")
# The documented exports and views of Google's products: the records in their columns.
_INDEXED = ("index", "value")
_RECORDS = {
    "ga_sessions_": {
        "customdimensions": _INDEXED,
        "custommetrics": _INDEXED,
        "hits": tuple(
            "hitNumber time hour minute isSecure isInteraction isEntrance isExit referer page "
            "transaction item contentInfo appInfo exceptionInfo eventInfo product promotion "
            "promotionActionInfo refund eCommerceAction experiment publisher customVariables "
            "customDimensions customMetrics type social latencyTracking sourcePropertyInfo "
            "contentGroup dataSource publisher_infos uses_transient_token".split()
        ),
        "product": tuple(
            "productRefundAmount productQuantity productPrice productRevenue productSKU "
            "v2ProductName v2ProductCategory productVariant productBrand localProductRevenue "
            "localProductPrice localProductRefundAmount isImpression isClick customDimensions "
            "customMetrics productListName productListPosition productCouponCode".split()
        ),
    },
    "jobs": {
        "referenced_tables": ("project_id", "dataset_id", "table_id"),
        "labels": _PAIR,
    },
    "gcp_billing_export": {
        "labels": _PAIR,
        "system_labels": _PAIR,
        "credits": ("name", "amount", "full_name", "id", "type"),
        "ancestors": ("resource_name", "display_name"),
        "tags": ("key", "value", "inherited", "namespace"),
    },
}
# Google's export of Analytics 4 into tables `events_<day>` has these repeated records
# (support.google.com/analytics/answer/7029846); their fields are therefore known.
_GA4_FIELDS = {
    "event_params": ("key", "value"),
    "user_properties": ("key", "value"),
    "item_params": ("key", "value"),
    "items": tuple(
        "item_id item_name item_brand item_variant item_category item_category2 item_category3 "
        "item_category4 item_category5 price_in_usd price quantity item_revenue_in_usd "
        "item_revenue item_refund_in_usd item_refund coupon affiliation location_id item_list_id "
        "item_list_name item_list_index promotion_id promotion_name creative_name creative_slot "
        "item_params".split()
    ),
}


def known_rows(
    node: exp.Expr, call: exp.Expr | None, origins: Origins, names: list[str], dialect: str
) -> Relation | None:
    """The columns of a function in FROM where the text or its documentation tells them all."""
    if names:
        return _numbered(origins, names) if node.args.get("ordinality") else None
    if isinstance(call, exp.JSONTable):
        return _declared(call.args.get("schema"), origins)
    if isinstance(call, exp.XMLTable):
        return _declared(call, origins)
    known = columns_of(call, dialect, node.alias) if call is not None else []
    if known and node.args.get("ordinality"):
        return _numbered(origins, [*known, "ordinality"])
    return Produced(origins, known) if known else None


def _numbered(origins: Origins, names: list[str]) -> Derived:
    """The columns of f(x) WITH ORDINALITY AS t (a, n): the last one is the row's number."""
    result = Derived()
    *values, position = names if len(names) > 1 else [*names, "ordinality"]
    for name in values:
        result.add(name, origins)
    result.add(position, NOTHING)
    return result


def _declared(schema: exp.Expr | None, origins: Origins) -> Derived | None:
    """The columns that JSON_TABLE and XMLTABLE list, also the nested ones."""
    result = Derived()
    for column in schema.find_all(exp.JSONColumnDef, exp.ColumnDef) if schema is not None else ():
        if isinstance(column.this, exp.Identifier):
            result.add(column.name, origins)
    return result if result.items else None


def unnested_fields(node: exp.Unnest, alias: str, origins: Origins) -> tuple[list[str], int]:
    """Fields that are known by name, and how certain it is that there are more."""
    values = node.expressions[0] if node.expressions else None
    if isinstance(values, exp.Array):
        return _of_literal(values, node, alias)
    if isinstance(values, _SCALARS):
        return [], NO
    if isinstance(values, exp.Anonymous) and values.name.upper() in _SCALAR_FUNCTIONS:
        return [], NO
    for ref, column in origins if len(origins) == 1 else ():
        records = _records_of([part.casefold() for part in ref.parts])
        name = values.name.casefold() if isinstance(values, exp.Column) else ""
        fields = records.get(name) or records.get(column.casefold())
        if fields is not None:
            return list(fields), NO
    return [], _more(node, alias)


def _records_of(parts: list[str]) -> Mapping[str, tuple[str, ...]]:
    """The known records in a table's columns."""
    if parts[-1].startswith("events_"):
        return _GA4_FIELDS
    for prefix in ("gcp_billing_export", "ga_sessions_"):
        if parts[-1].startswith(prefix):
            return _RECORDS[prefix]
    is_jobs = parts[-1].startswith("jobs") and "information_schema" in parts[-2:-1]
    return _RECORDS["jobs"] if is_jobs else {}


def _more(node: exp.Expr, alias: str) -> int:
    """How certain a bare name may be a field of the unnested value."""
    if _is_compared(node, alias):
        return NO
    return WEAK if is_called(node, alias) else MAYBE


def columns_of_arrays(node: exp.Unnest, count: int) -> list[list[exp.Expr]]:
    """What each of `count` columns may come from: arrays have one each, rows one a field.

    Maps have two columns, but which of the arguments is a map the text does not always tell.
    """
    found: list[list[exp.Expr]] = []
    for item in node.expressions:
        rows = item.expressions if isinstance(item, exp.Array) else []
        rows = [row.expressions for row in rows if isinstance(row, (exp.Struct, exp.Tuple))]
        if rows and len(rows) == len(item.expressions) and len({len(row) for row in rows}) == 1:
            found += [list(cells) for cells in zip(*rows, strict=True)]
        else:
            found.append([item])
    if len(found) == count:
        return found
    given = node.expressions
    spare = count - len(given)
    return (
        [given[max(0, place - spare) : place + 1] for place in range(count)] if spare >= 0 else []
    )


def _of_literal(values: exp.Array, node: exp.Unnest, alias: str) -> tuple[list[str], int]:
    first = values.expressions[0] if values.expressions else None
    if isinstance(first, exp.Struct):
        fields = [item for item in first.expressions]
        return [item.alias_or_name or item.this.name for item in fields], NO
    if isinstance(first, exp.Literal):
        return [], NO
    if isinstance(first, exp.Select) and first.args.get("kind") is None:
        return [], NO
    return [], _more(node, alias)


def is_called(node: exp.Expr, alias: str) -> bool:
    """Whether the query names the value, as `i` or `i.x`, but none of its tables.

    Who writes `item.sku` writes no field of `item` bare; who also writes `o.id` may.
    """
    query = node.find_ancestor(exp.Select)
    if query is None or not alias:
        return False
    key = alias.casefold()
    start = query.args.get("from_")
    items = [start, *(query.args.get("joins") or ())] if start is not None else []
    tables = {item.this.alias_or_name.casefold() for item in items if _is_table(item.this)}
    found = False
    for column in query.find_all(exp.Column):
        first = column.parts[0].name.casefold()
        if first not in tables and first != key:
            continue
        holder = column.find_ancestor(exp.Unnest, exp.Select)
        if isinstance(holder, exp.Unnest):
            continue
        if first == key:
            found = True
        elif column.args.get("table") is not None and holder is query:
            return False
    return found


def _is_table(node: object) -> bool:
    return isinstance(node, exp.Table)


def _is_compared(node: exp.Expr, alias: str) -> bool:
    """Whether the query compares the unnested value itself to a constant: then it is no struct."""
    query = node.find_ancestor(exp.Select)
    if query is None or not alias:
        return False
    for column in query.find_all(exp.Column):
        if column.name.casefold() != alias.casefold() or column.args.get("table") is not None:
            continue
        parent = column.parent
        if isinstance(parent, (exp.Lower, exp.Upper, exp.Cast, exp.Like, exp.Between)):
            return True
        if isinstance(parent, exp.In) and parent.this is column:
            return True
        if isinstance(parent, exp.Binary) and isinstance(
            parent.right if parent.left is column else parent.left, exp.Literal
        ):
            return True
    return False
