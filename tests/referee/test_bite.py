"""The referee bites: each mistake, put into a model, makes it red, and the right way to say the same does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.referee.analysis import analyse
from tests.referee.compiled import Node
from tests.referee.evaluation import judge
from tests.referee.googlesql import GoogleSQL
from tests.referee.world import Build

_GIVEN = {
    "id": "STRING",
    "units": "INT64",
    "amount": "NUMERIC",
    "kind": "STRING",
    "day": "DATE",
    "happened_at": "TIMESTAMP",
    "document": "JSON",
}
_ROWS = """
create schema marts;
create table marts.given (
    id varchar, units bigint, amount decimal(38, 9), kind varchar, day date, happened_at timestamp, document varchar
);
insert into marts.given values
    ('a', 5, 0.005, 'x', '2026-07-05', '2026-07-05 12:00:00.000001', '{"a":1}'),
    ('b', 3, 2.675000001, null, '2026-07-06', '2026-07-06 00:00:00', '{"a":1}'),
    ('c', 4, -0.125, 'y', '2026-12-31', '2026-12-31 23:59:59.999999', null);
"""
_TABLE = "`tieout`.`marts`.`given`"


@pytest.fixture(scope="module")
def session() -> GoogleSQL:
    session = GoogleSQL()
    session.know("tieout.marts.given", _GIVEN)
    return session


def _model(sql: str, declared: dict[str, str] | None = None, **settings: Any) -> Node:
    return Node(
        unique_id="model.tieout.planted",
        kind="model",
        name="planted",
        relation="tieout.marts.planted",
        sql=sql,
        declared=declared or {},
        is_under_contract=declared is not None,
        settings={"materialized": "table", **settings},
    )


_REFUSED = {
    "a cast of DuckDB": (f"select amount::string as t from {_TABLE}", "Syntax error"),
    "a star of DuckDB": (f"select * exclude (kind) from {_TABLE}", "Syntax error"),
    "a list of DuckDB": (f"select list_sum([units]) as t from {_TABLE}", "Function not found: list_sum"),
    "an integer equals a text": (f"select id from {_TABLE} where units = id", "No matching signature for operator ="),
    "a day equals an instant": (
        f"select id from {_TABLE} where day = happened_at",
        "No matching signature for operator =",
    ),
    "a function that BigQuery lacks": (
        f"select date_part('month', day) as t from {_TABLE}",
        "Function not found: date_part",
    ),
    "a reserved word": (f"with following as (select id from {_TABLE}) select id from following", "Syntax error"),
    "a sum of what is already one": (
        f"select sum(amount) as amount from {_TABLE} group by kind having sum(amount) <> 0",
        "Aggregations of aggregations",
    ),
    "JSON is grouped by": (f"select count(*) as n from {_TABLE} group by document", "not allowed|not groupable"),
    "JSON is distinct": (f"select distinct id, document from {_TABLE}", "not allowed|not groupable"),
    "a window is parted by JSON": (
        f"select count(*) over (partition by document) as n from {_TABLE}",
        "not allowed|not groupable",
    ),
    "a correlated subquery compares by order": (
        f"select id from {_TABLE} as o where exists (select 1 from {_TABLE} as i where i.units < o.units)",
        "more than equality",
    ),
    "a correlated subquery takes the first": (
        f"select (select i.id from {_TABLE} as i where i.kind = o.kind order by i.id limit 1) as t from {_TABLE} as o",
        "LIMIT",
    ),
    "an outer join by order": (
        f"select l.id from {_TABLE} as l left join {_TABLE} as r on l.units < r.units",
        "equality of fields from both sides",
    ),
    "a table is read in a join condition": (
        f"select l.id from {_TABLE} as l inner join {_TABLE} as r on l.id = r.id and l.units in (select units from {_TABLE})",
        "in join predicate",
    ),
    "an instant cast to text": (f"select cast(happened_at as string) as t from {_TABLE}", "use instant_text"),
    "a column comes out twice": (f"select id, kind as id from {_TABLE}", "comes out 2 times"),
    "a column has no name": (f"select units + 1 from {_TABLE}", "without a name"),
}


@pytest.mark.parametrize("mistake", _REFUSED)
def test_a_statement_that_bigquery_would_refuse_is_refused(session: GoogleSQL, mistake: str) -> None:
    sql, says = _REFUSED[mistake]
    found = "; ".join(map(str, analyse(session, [_model(sql)])))
    assert any(each in found for each in says.split("|")), found


_TAKEN = {
    "a cast": f"select cast(amount as string) as t from {_TABLE}",
    "an integer equals a text that is one": f"select id from {_TABLE} where units = cast(id as int64)",
    "a day equals an instant's day": f"select id from {_TABLE} where day = cast(happened_at as date)",
    "JSON is grouped by as text": f"select count(*) as n from {_TABLE} group by to_json_string(document)",
    "a correlated subquery compares by equality": (
        f"select id from {_TABLE} as o where exists (select 1 from {_TABLE} as i where i.units = o.units and i.kind = 'x')"
    ),
    "a correlated array": f"select (select count(*) from unnest(json_query_array(o.document)) as e) as n from {_TABLE} as o",
    "an outer join by equality and order": (
        f"select l.id from {_TABLE} as l left join {_TABLE} as r on l.id = r.id and l.units < r.units"
    ),
    "an outer join to the only row": (
        f"select l.id, r.n from {_TABLE} as l left join (select count(*) as n from {_TABLE}) as r on true"
    ),
    "an inner join by order": f"select l.id from {_TABLE} as l inner join {_TABLE} as r on l.units < r.units",
}


@pytest.mark.parametrize("way", _TAKEN)
def test_a_statement_that_bigquery_takes_is_taken(session: GoogleSQL, way: str) -> None:
    assert analyse(session, [_model(_TAKEN[way])]) == []


def test_columns_and_types_are_the_contract_s(session: GoogleSQL) -> None:
    sql = f"select id, amount from {_TABLE}"
    declared = {"id": "STRING", "amount": "NUMERIC"}
    assert analyse(session, [_model(sql, declared)]) == []
    for wrong, says in [
        ({**declared, "amount": "BIGNUMERIC"}, "amount is declared BIGNUMERIC, the query gives NUMERIC"),
        ({"id": "STRING"}, "differ about the columns amount"),
        ({**declared, "kind": "STRING"}, "differ about the columns kind"),
    ]:
        (objection,) = analyse(session, [_model(sql, wrong)])
        assert says in str(objection)


def test_a_table_is_partitioned_and_clustered_by_what_bigquery_takes(session: GoogleSQL) -> None:
    sql, by_day = f"select * from {_TABLE}", {"field": "day", "data_type": "date"}
    assert analyse(session, [_model(sql, partition_by=by_day, cluster_by=["kind", "id"])]) == []
    plants: list[tuple[dict[str, Any], str]] = [
        ({"partition_by": {"field": "id", "data_type": "date"}}, "partitioned by id as date, which is STRING"),
        (
            {"partition_by": {"field": "happened_at", "data_type": "date"}},
            "partitioned by happened_at as date, which is TIMESTAMP",
        ),
        ({"partition_by": {"field": "days", "data_type": "date"}}, "which is nothing"),
        ({"cluster_by": ["document"]}, "clustered by document, which is JSON"),
        ({"cluster_by": ["id", "kind", "day", "happened_at", "units"]}, "clustered by 5 columns"),
    ]
    for settings, says in plants:
        (objection,) = analyse(session, [_model(sql, **settings)])
        assert says in str(objection)


# name: (for DuckDB, the mistake for BigQuery, the right way for BigQuery)
_EVALUATED = {
    "half-even rounding": ("round(amount, 2)", "round(amount, 2, 'ROUND_HALF_EVEN')", "round(amount, 2)"),
    "the order of NULL": (
        "row_number() over (order by kind)",
        "row_number() over (order by kind)",
        "row_number() over (order by kind nulls last)",
    ),
    "integer division": ("units // 2", "cast(units / 2 as int64)", "div(units, 2)"),
    "a quotient that is no decimal": ("amount / 2", "amount / 2", None),
    "the week's first day": (
        "cast(date_trunc('week', day) as date)",
        "date_trunc(day, week)",
        "date_trunc(day, isoweek)",
    ),
    "NULL in a text": ("concat('kind ', kind)", "concat('kind ', kind)", "concat('kind ', coalesce(kind, ''))"),
    "a lost microsecond": ("happened_at", "timestamp_trunc(happened_at, millisecond)", "happened_at"),
    "a lost digit": ("amount", "round(amount, 8)", "amount + 0"),
    "a day across midnight": (
        "cast(happened_at as date)",
        "extract(date from happened_at at time zone 'Asia/Tokyo')",
        "cast(happened_at as date)",
    ),
    "a decimal's zeros in a text": ("cast(amount as string)", "cast(amount as string)", "format('%.9f', amount)"),
}


@pytest.mark.parametrize("mistake", _EVALUATED)
def test_a_model_that_gives_other_rows_on_bigquery_is_found(session: GoogleSQL, tmp_path: Path, mistake: str) -> None:
    on_duckdb, wrong, right = _EVALUATED[mistake]
    warehouse = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(_ROWS)
        connection.execute(f"create table marts.planted as select id, {on_duckdb} as planted from marts.given")
    build = Build(warehouse, moment="")
    verdict = judge(session, _model(f"select id, {wrong} as planted from {_TABLE}"), build)
    assert verdict.difference is not None
    assert "planted" in str(verdict.difference)
    if right:
        assert judge(session, _model(f"select id, {right} as planted from {_TABLE}"), build).difference is None


def test_a_row_too_many_or_too_few_is_found(session: GoogleSQL, tmp_path: Path) -> None:
    warehouse = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(_ROWS)
        connection.execute("create table marts.planted as select id from marts.given")
    build = Build(warehouse, moment="")
    assert judge(session, _model(f"select id from {_TABLE}"), build).difference is None
    for other in (f"select id from {_TABLE} where id <> 'a'", f"select id from {_TABLE} union all select 'a'"):
        assert judge(session, _model(other), build).difference is not None


def test_what_the_evaluator_cannot_do_is_a_difference(session: GoogleSQL, tmp_path: Path) -> None:
    build = Build(tmp_path / "tieout.duckdb", moment="")
    with duckdb.connect(str(build.warehouse)) as connection:
        connection.execute(_ROWS)
    model = _model(f"select id, error('not here') as planted from {_TABLE}")
    assert "not here" in str(judge(session, model, build).difference)


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ({"incremental_strategy": "insert_overwrite", "partition_by": {"field": "day"}}, "2026-07-06"),
        ({"incremental_strategy": "merge", "unique_key": "id"}, "2026-07-06"),
    ],
)
def test_what_a_later_build_brings_takes_the_place_of_what_was_there(
    session: GoogleSQL, tmp_path: Path, settings: dict[str, Any], days: str
) -> None:
    """Of three rows one has changed: its old form must not stay, and the others must not be lost."""
    session.know("tieout.marts.planted", {"id": "STRING", "day": "DATE", "units": "INT64"})
    model = _model(f"select id, day, units from {_TABLE} where day = '{days}'", materialized="incremental", **settings)
    folders = {name: tmp_path / name for name in ("first", "later")}
    for name, folder in folders.items():
        folder.mkdir()
        with duckdb.connect(str(folder / "tieout.duckdb")) as connection:
            connection.execute(_ROWS)
            if name == "later":
                connection.execute(f"update marts.given set units = 9 where day = '{days}'")
            connection.execute("create table marts.planted as select id, day, units from marts.given")
    first, later = (Build(folder / "tieout.duckdb", moment="") for folder in folders.values())
    assert judge(session, model, later, before=first).difference is None
    with duckdb.connect(str(later.warehouse)) as connection:
        connection.execute("insert into marts.planted select * from marts.planted where units = 9")
    assert judge(session, model, later, before=first).difference is not None
