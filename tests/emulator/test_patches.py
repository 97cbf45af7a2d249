"""Each correction of the emulator beside the answer of Google's own implementation, which is what BigQuery answers."""

from __future__ import annotations

import pytest

from tests.emulator.statements import parts
from tests.emulator.warehouse import Project
from tests.referee.comparison import compare
from tests.referee.googlesql import GoogleSQL, Table

CASES = {
    "a cast to NUMERIC keeps nine decimals": "select cast('1.123456789' as numeric) as n",
    "a cast to BIGNUMERIC keeps 18": "select cast('0.123456789012345678' as bignumeric) as n",
    "a quotient of two BIGNUMERICs has 18 decimals": """
        select round(cast('-123456.789' as bignumeric) / nullif(cast('7' as bignumeric), 0), 18) as n
    """,
    "a NUMERIC as text has no zeros at its end": """
        select
            cast(numeric '0.80' as string) as a,
            cast(numeric '1200' as string) as b,
            cast(numeric '-0.5' as string) as c,
            cast(12 as string) as d,
            cast(date '2026-08-02' as string) as e,
            cast(cast('0.10' as bignumeric) as string) as f
    """,
    "the JSON text of NULL is null": "select to_json_string(cast(null as string)) as a, to_json_string('x') as b",
    "an instant as text has the decimals that there are": """
        select
            format_timestamp('%F %H:%M:%E*S', timestamp '2026-08-02 01:00:00+00') as a,
            format_timestamp('%F %H:%M:%E*S', timestamp '2026-08-02 01:00:10.250+00') as b
    """,
    "a product of two BIGNUMERICs has 18 decimals": """
        select round(cast('404.4' as bignumeric) * cast('0.276000000000000001' as bignumeric), 18) as n
    """,
    "distinct values without nulls": "select array_length(array_agg(distinct x ignore nulls)) as n from unnest([1, 1]) as x",
    "a week begins on Monday": """
        select
            date_trunc(d, isoweek) as iso,
            date_trunc(d, week(monday)) as monday,
            date(timestamp_trunc(timestamp(d), isoweek)) as instant
        from unnest([date '2026-08-02', date '2026-08-03']) as d
    """,
    "units between two instants are whole ones": """
        select
            timestamp_diff(timestamp '2026-08-02 01:00:00+00', timestamp '2026-08-01 23:00:00+00', day) as days,
            timestamp_diff(timestamp '2026-08-02 01:30:00+00', timestamp '2026-08-01 23:00:00+00', hour) as hours
    """,
    "an element's place is counted from 0, in the queries around it too": """
        with elements as (
            select element, place from unnest(['a', 'b']) as element with offset as place
        )

        select element, elements.place, place + 1 as next_place from elements
    """,
    "a member by a key that is a column": """
        select json_value(document[name], '$.of') as found
        from (select parse_json('{"a": {"of": "1"}, "b": {"of": "2"}}') as document)
        cross join unnest(['a', 'b']) as name
    """,
    "a text after a comment with an apostrophe": """
        select
            1 as n, -- it's one
            timestamp '2026-11-28 02:19:36.219097+00:00' as instant
    """,
    "a window of one name in each part of a union": """
        select lead(x) over run as following_x from unnest([1, 2]) as x window run as (order by x)
        union all
        select lead(x) over run as following_x from unnest([3, 4]) as x window run as (order by x desc)
    """,
    "a row as a value": """
        with t as (select 1 as a, 'x' as b)

        select pair.l.a, pair.r.b from (select l as l, r as r from t as l cross join t as r) as pair
    """,
    "all fields of a struct": "select pair.l.* from (select struct(1 as a, 'x' as b) as l) as pair",
}


@pytest.mark.parametrize("name", CASES)
def test_the_emulator_answers_what_googles_own_implementation_does(bigquery_project: Project, name: str) -> None:
    answered = GoogleSQL().evaluate(CASES[name], {})
    names = ", ".join(f"`{column}`" for column in answered.columns)
    found = Table(answered.columns, bigquery_project.rows(f"select {names} from ({CASES[name]}) as asked"))
    assert compare(found, answered) is None


def test_a_contract_may_put_its_query_in_parentheses(bigquery_project: Project) -> None:
    with bigquery_project.client as client:
        client.create_dataset("d")
        client.query("create table d.t (n int64, amount numeric) as (select 1 as n, numeric '1.5' as amount)").result()
    assert bigquery_project.rows("select n, amount from d.t") == [(1, 1.5)]


def test_a_script_is_taken_apart_at_its_semicolons_and_nowhere_else() -> None:
    script = """
        -- a comment; with one
        declare days array<date>; # and another;
        select ';', "a;b", `odd;name`, r'\\', '''x';y''' /* ; */ ; select 2
    """
    assert list(parts(script)) == [
        "declare days array<date>",
        "select ';', \"a;b\", `odd;name`, r'\\', '''x';y'''",
        "select 2",
    ]
