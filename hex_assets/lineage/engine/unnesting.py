"""What UNNEST is certain to offer: the fields of a struct or row are columns, too."""

from __future__ import annotations

from sqlglot import exp

from hex_assets.lineage.engine.relations import MAYBE, NO, Origins

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
# Google's export of Analytics 4 into tables `events_<day>` has these repeated records
# (support.google.com/analytics/answer/7029846); their fields are therefore known.
_GA4_FIELDS = {
    "event_params": ("key", "value"),
    "user_properties": ("key", "value"),
    "items": tuple(
        "item_id item_name item_brand item_variant item_category item_category2 item_category3 "
        "item_category4 item_category5 price_in_usd price quantity item_revenue_in_usd "
        "item_revenue item_refund_in_usd item_refund coupon affiliation location_id item_list_id "
        "item_list_name item_list_index promotion_id promotion_name creative_name creative_slot "
        "item_params".split()
    ),
}


def unnested_fields(node: exp.Unnest, alias: str, origins: Origins) -> tuple[list[str], int]:
    """Fields that are known by name, and how certain it is that there are more."""
    values = node.expressions[0] if node.expressions else None
    if isinstance(values, exp.Array):
        return _of_literal(values, node, alias)
    if isinstance(values, _SCALARS):
        return [], NO
    if isinstance(values, exp.Anonymous) and values.name.upper() in _SCALAR_FUNCTIONS:
        return [], NO
    for ref, column in origins:
        table = ref.parts[-1].casefold()
        if len(origins) == 1 and table.startswith(("events_", "events_intraday_")):
            fields = _GA4_FIELDS.get(column.casefold())
            if fields is not None:
                return list(fields), NO
    return [], NO if _is_compared(node, alias) else MAYBE


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
    return [], NO if _is_compared(node, alias) else MAYBE


def _is_compared(node: exp.Unnest, alias: str) -> bool:
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
