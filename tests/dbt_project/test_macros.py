"""The portability macros give the value that their one line says, on the edges where the engines part."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from tests.dbt_project.conftest import Dbt

# name: (Jinja expression, the value as text); the text cases are what both engines must say
CASES = {
    "a third": ("divide('1', '3')", "0.333333333"),
    "two thirds": ("divide('2', '3')", "0.666666667"),
    "a negative quotient rounds away from zero": ("divide('-2', '3')", "-0.666666667"),
    "half of the last digit rounds up": ("divide('0.000000001', '2')", "0.000000001"),
    "a large quotient is exact": ("divide('12345678901234567.89', '0.01')", "1234567890123456789.000000000"),
    "division by zero is null": ("divide('1', '0')", None),
    "a product has nine decimals": ("multiply(to_decimal('1.000000001'), to_decimal('0.5'))", "0.500000001"),
    "a product of halves rounds away": ("multiply(to_decimal('-0.000000001'), to_decimal('0.5'))", "-0.000000001"),
    "tokens by a tiny price": (
        "big_multiply(\"'12345678901.123456789012345678'\", \"'0.0000025'\")",
        "30864.197252808641972531",
    ),
    "tokens by a tiny negative price": (
        "big_multiply(\"'12345678901.5'\", \"'-0.000000000000000001'\")",
        "-0.000000012345678902",
    ),
    "a large product keeps its fraction": (
        "big_multiply(\"'9999999999.5'\", \"'9999999999.5'\")",
        "99999999990000000000.250000000000000000",
    ),
    "a share has eighteen decimals": ("big_divide('2', '3')", "0.666666666666666667"),
    "a negative share rounds away": ("big_divide('-2', '3')", "-0.666666666666666667"),
    "a share of billions": ("big_divide(\"'12345678901.5'\", \"'98765432109.25'\")", "0.124999998864417969"),
    "a share of nothing is null": ("big_divide('1', '0')", None),
    "half a cent rounds up": ("round_half_away(\"'1.005'\", 2)", "1.010000000"),
    "nearly half a cent rounds down": ("round_half_away(\"'0.0049999999999'\", 2)", "0.000000000"),
    "a decimal as text has no zeros at its end": ("decimal_text(\"'10.50'\")", "10.5"),
    "a whole decimal as text has no point": ("decimal_text(\"'100'\")", "100"),
    "zero as text": ("decimal_text('0')", "0"),
    "minus half a cent rounds down": ("round_half_away(\"'-1.005'\", 2)", "-1.010000000"),
    "a cent has two decimals": ("minor_to_major(\"'1999'\", \"'usd'\")", "19.990000000"),
    "a yen has none": ("minor_to_major(\"'1999'\", \"'jpy'\")", "1999.000000000"),
    "a fils is a thousandth": ("minor_to_major(\"'1999'\", \"'bhd'\")", "1.999000000"),
    "a krona is written with two decimals": ("minor_to_major(\"'1900'\", \"'isk'\")", "19.000000000"),
    "a negative minor unit": ("minor_to_major(\"'-1'\", \"'eur'\")", "-0.010000000"),
    "the largest integer of JSON": ("minor_to_major(\"'9007199254740993'\", \"'usd'\")", "90071992547409.930000000"),
    "no amount is no amount": ("minor_to_major('null', \"'usd'\")", None),
    "a fraction of a cent is a price": ("minor_to_major_price(\"'0.123456789012'\", \"'usd'\")", "0.001234567890120000"),
    "yen are rounded to yen": ("round_to_minor_unit(\"'10.5'\", \"'JPY'\")", "11.000000000"),
    "dollars are rounded to cents": ("round_to_minor_unit(\"'10.005'\", \"'USD'\")", "10.010000000"),
    "dinars are rounded to fils": ("round_to_minor_unit(\"'-10.0005'\", \"'BHD'\")", "-10.001000000"),
    "krona have no cents": ("round_to_minor_unit(\"'10.49'\", \"'ISK'\")", "10.000000000"),
    "an exponent is a number": ("to_decimal(\"'1e-7'\")", "0.000000100"),
    "an integer rounds away": ("to_integer(\"'-2.5'\")", "-3"),
    "unix seconds": ("timestamp_from_unix(\"'1234567890'\")", "2009-02-13 23:31:30+00"),
    "a zone is converted": ("timestamp_from_iso(\"'2026-07-01T00:00:00+09:00'\")", "2026-06-30 15:00:00+00"),
    "microseconds stay": ("timestamp_from_iso(\"'2026-07-01T00:00:00.000001Z'\")", "2026-07-01 00:00:00.000001+00"),
    "the day is the UTC day": ("date_of(timestamp_literal('2026-07-01 08:59:00+09:00'))", "2026-06-30"),
    "weeks start on Monday": ("truncate_date('week', date_literal('2026-07-05'))", "2026-06-29"),
    "a truncated date is a date": ("truncate_date('month', date_literal('2026-07-31'))", "2026-07-01"),
    "a month after the 31st": ("add_to_date('month', 1, date_literal('2026-01-31'))", "2026-02-28"),
    "days backwards": ("add_to_date('day', -1, date_literal('2026-03-01'))", "2026-02-28"),
    "an hour later": ("add_to_timestamp('hour', 1, timestamp_literal('2026-07-01 23:30:00+00'))", "2026-07-02 00:30:00+00"),
    "boundaries are counted": ("date_difference('month', date_literal('2026-01-31'), date_literal('2026-02-01'))", "1"),
    "year and month": ("year_month(date_literal('2026-07-05'))", "2026-07"),
    "ISO date": ("iso_date(date_literal('2026-07-05'))", "2026-07-05"),
    "an object of texts": ("json_object({'a': \"'x'\", 'b': 'null'})", '{"a":"x","b":null}'),
}  # fmt: skip

# name: (document, Jinja expression on it, the value as text)
JSON_CASES = {
    "text of a number": ('{"a":{"b":1}}', "json_text('document', '$.a.b')", "1"),
    "text of an object is null": ('{"a":{"b":1}}', "json_text('document', '$.a')", None),
    "text of null is null": ('{"a":null}', "json_text('document', '$.a')", None),
    "text of true": ('{"a":true}', "json_text('document', '$.a')", "true"),
    "text of the empty text": ('{"a":""}', "json_text('document', '$.a')", ""),
    "text of an element": ('{"a":[{"b":"x"},{"b":"y"}]}', "json_text('document', '$.a[1].b')", "y"),
    "a document of null is null": ('{"a":null}', "json_document('document', '$.a')", None),
    "a member whose key is a column": ('{"a":{"b":1}}', "json_text(json_member('document', \"'a'\"), '$.b')", "1"),
    "an array has a length": ('{"a":[1,{}]}', "json_array_length('document', '$.a')", "2"),
    "no array has length zero": ('{"a":null}', "json_array_length('document', '$.a')", "0"),
    "a sum over an array": (
        '{"a":[{"v":"0.1"},{"v":"0.2"}]}',
        "json_array_sum('document', '$.a', '$.v')",
        "0.300000000",
    ),
    "a sum over nothing is zero": ("{}", "json_array_sum('document', '$.a', '$.v')", "0.000000000"),
    "a sum over some elements": (
        '{"a":[{"k":"x","v":1},{"k":"y","v":2},{"v":4},{"k":"z","v":"0.5"}]}',
        "json_array_sum('document', '$.a', '$.v', '$.k', ['x', 'z'])",
        "1.500000000",
    ),
    "the first element that fits": (
        '{"a":[{"k":"y","v":0},{"k":"x","v":1},{"k":"x","v":2}]}',
        "json_array_find('document', '$.a', '$.k', 'x', '$.v')",
        "1",
    ),
    "no element fits": ('{"a":[]}', "json_array_find('document', '$.a', '$.k', 'x', '$.v')", None),
}


@pytest.fixture(scope="module")
def answers(dbt: Dbt) -> dict[str, str | None]:
    """All cases in one query: a dbt invocation each would take a minute."""
    cases = {name: ("{}", *case) for name, case in CASES.items()} | JSON_CASES
    selects = (
        f"select '{name}' as name, cast({{{{ {jinja} }}}} as string) as found "
        f"from (select '{document}' as document) as t"
        for name, (document, jinja, _) in cases.items()
    )
    return {str(name): found for name, found in _query(dbt, " union all ".join(selects))}


def _query(dbt: Dbt, inline: str) -> list[tuple[Any, ...]]:
    compiled = dbt.invoke("compile", "--inline", inline, warehouse=dbt.target / "tieout.duckdb")
    assert compiled.success, compiled.exception
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(compiled.result.results[0].node.compiled_code).fetchall()


@pytest.mark.parametrize("case", [*CASES, *JSON_CASES])
def test_macro_gives_the_value_that_both_engines_must_give(answers: dict[str, str | None], case: str) -> None:
    assert answers[case] == (CASES | JSON_CASES)[case][-1]


def test_keys_do_not_collide_where_texts_do(dbt: Dbt) -> None:
    pairs = [("'a'", "'bc'"), ("'ab'", "'c'"), ("''", "null"), ("null", "''"), ("null", "null"), ("'a|b'", "''")]
    rows = " union all ".join(f"select {a} as a, {b} as b" for a, b in pairs)
    inline = f"select {{{{ surrogate_key(['a', 'b']) }}}} as key from ({rows})"
    assert len({key for (key,) in _query(dbt, inline)}) == len(pairs)


def test_a_series_of_days_has_both_ends(dbt: Dbt) -> None:
    days = _query(
        dbt,
        "select cast(day as string) from {{ day_series(\"date '2026-02-27'\", \"date '2026-03-01'\", 'day') }} order by 1",
    )
    assert [day for (day,) in days] == ["2026-02-27", "2026-02-28", "2026-03-01"]


def test_a_series_of_months_has_every_month_touched(dbt: Dbt) -> None:
    months = _query(
        dbt,
        "select cast(month as string) from {{ month_series(\"date '2026-01-31'\", \"date '2026-03-01'\", 'month') }} order by 1",
    )
    assert [month for (month,) in months] == ["2026-01-01", "2026-02-01", "2026-03-01"]


def test_keys_of_an_object_are_rows(dbt: Dbt) -> None:
    inline = """
        select name
        from (select cast('{"a":1,"b":{"c":2}}' as json) as payload union all select null) as t
        {{ unnest_json_keys('t.payload', 'name') }}
        order by name
    """
    assert _query(dbt, inline) == [("a",), ("b",)]


def test_elements_of_an_array_are_rows_in_order(dbt: Dbt) -> None:
    inline = """
        select {{ json_text('item', '$.v') }}, item_offset
        from (select '{"a":[{"v":"x"},{"v":"y"}]}' as payload union all select '{"a":null}' union all select '{}') as t
        {{ unnest_json_array('t.payload', '$.a', 'item', 'item_offset') }}
        order by item_offset
    """
    assert _query(dbt, inline) == [("x", 0), ("y", 1)]


def test_garbage_is_an_error_and_never_null(dbt: Dbt) -> None:
    for jinja in (
        "to_decimal(\"'12,5'\")",
        "to_integer(\"'many'\")",
        "timestamp_from_iso(\"'yesterday'\")",
        "to_boolean(\"'maybe'\")",
    ):
        with pytest.raises(duckdb.ConversionException):
            _query(dbt, f"select {{{{ {jinja} }}}}")
