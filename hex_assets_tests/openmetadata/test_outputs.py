"""Types of a data model's columns: what is certain, and UNKNOWN for the rest."""

from __future__ import annotations

import pytest

from hex_assets.openmetadata.outputs import COLUMN, outputs


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("select a, b + 1 as c from t", {"a": COLUMN, "c": None}),
        ("select count(*) as n, cast(x as date) as d from t", {"n": "BIGINT", "d": "DATE"}),
        ("select a is null and b > 1 as f, (a) as p from t", {"f": "BOOLEAN", "p": COLUMN}),
        ("with c as (select a, sum(b) as s from t group by a) select c.a, s as q from c",
         {"a": COLUMN, "q": None}),
        ("with unused as (select 1 as a) select a from t", {"a": COLUMN}),
        ("select x.* from (select a, count(*) as n from t) as x", {"a": COLUMN, "n": "BIGINT"}),
        ("select a from t union all select b from u", {"a": COLUMN}),
        ("select a, 1 as k from t union all select b, 2 from u", {"a": COLUMN, "k": None}),
        ("select t.a, c.n from t join (select a, count(*) as n from u group by a) c on t.a = c.a",
         {"a": COLUMN, "n": "BIGINT"}),
        ("select n from t join (select count(*) as n from u) c on true", {"n": None}),
        ("with recursive r as (select 1 as n union all select n + 1 from r) select n from r",
         {"n": None}),
        ("select x.u from t cross join unnest(t.items) as x(u)", {"u": None}),
        ("select * from t", {"anything": COLUMN}),
        ("select * from t join (select 1 as k) s on true", {"anything": None}),
        ("select row_number() over (order by a) as r from t", {"r": "BIGINT"}),
        ("insert into z select a from t", {"a": None}),
        ("select (((", {"a": None}),
    ],
)  # fmt: skip
def test_an_output_has_a_kind_only_where_it_is_certain(
    text: str, kinds: dict[str, str | None]
) -> None:
    found = outputs(text, "postgres")
    assert {name: found.kind(name) for name in kinds} == kinds
