"""The module is spoken to without loss, and answers as BigQuery's documents say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.referee.comparison import compare
from tests.referee.googlesql import GoogleSQL, GoogleSQLError, Table

_COLUMNS = {
    "n": "INT64",
    "amount": "NUMERIC",
    "price": "BIGNUMERIC",
    "word": "STRING",
    "yes": "BOOL",
    "day": "DATE",
    "moment": "TIMESTAMP",
    "document": "JSON",
    "raw": "BYTES",
}
_ROWS: list[tuple[Any, ...]] = [
    (
        -(2**63),
        Decimal("99999999999999999999999999999.999999999"),
        Decimal("-12345678901234567890.123456789012345678"),
        "ümlaut, 'quote' and \\",
        True,
        date(1, 1, 1),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        '{"b":"0.10","a":[1,null]}',
        b"\x00\xff",
    ),
    (
        2**63 - 1,
        Decimal("-0.000000001"),
        Decimal("1e-18"),
        "",
        False,
        date(9999, 12, 31),
        datetime(2026, 7, 1, tzinfo=UTC),
        "1",
        b"",
    ),
    (None,) * len(_COLUMNS),
]


@pytest.fixture(scope="module")
def session() -> GoogleSQL:
    session = GoogleSQL()
    session.know("tieout.raw.given", _COLUMNS)
    return session


def test_values_come_back_as_they_went(session: GoogleSQL) -> None:
    given = Table(_COLUMNS, _ROWS)
    found = session.evaluate("select * from `tieout`.`raw`.`given`", {"tieout.raw.given": given})
    assert found.columns == _COLUMNS
    assert compare(given, found) is None


def test_a_decimal_with_too_many_digits_is_no_value(session: GoogleSQL) -> None:
    row = (1, Decimal("0.0000000001"), *[None] * (len(_COLUMNS) - 2))
    with pytest.raises(ValueError, match="more than 9 decimals"):
        session.evaluate("select * from `tieout`.`raw`.`given`", {"tieout.raw.given": Table(_COLUMNS, [row])})


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("round(numeric '2.5')", "3"),
        ("round(numeric '-2.5')", "-3"),
        ("cast(2.5 as int64)", "3"),
        ("div(-7, 2)", "-3"),
        ("date_trunc(date '2026-07-05', week)", "2026-07-05"),
        ("date_trunc(date '2026-07-05', isoweek)", "2026-06-29"),
        ("cast(numeric '1.50' as string)", "1.5"),
        ("cast(timestamp '2026-07-01 00:00:00+09:00' as string)", "2026-06-30 15:00:00+00"),
        ("concat('a', null)", None),
        ("(select string_agg(coalesce(w, '-') order by w) from unnest(['b', null, 'a']) as w)", "-,a,b"),
        ("json_value(json '{\"a\": {}}', '$.a')", None),
    ],
)
def test_it_answers_as_bigquery_is_documented(session: GoogleSQL, expression: str, answer: str | None) -> None:
    assert session.evaluate(f"select cast({expression} as string)", {}).rows == [(answer,)]


@pytest.mark.parametrize(
    "expression", ["cast('2.0' as int64)", "cast('x' as date)", "1 / 0", "numeric '99999999999999999999999999999' * 10"]
)
def test_what_is_an_error_in_bigquery_is_one(session: GoogleSQL, expression: str) -> None:
    with pytest.raises(GoogleSQLError):
        session.evaluate(f"select {expression}", {})


def test_rows_that_are_missing_are_named(session: GoogleSQL) -> None:
    with pytest.raises(GoogleSQLError, match=r"no rows are given for tieout\.raw\.given"):
        session.evaluate("select n from `tieout`.`raw`.`given`", {})
