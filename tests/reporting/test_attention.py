from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from reporting.attention import Attention, attention
from tests.reporting.open_breaks import build


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Attention:
    return attention(build(tmp_path_factory.mktemp("attention") / "tieout.duckdb"))


def test_open_breaks_are_added_up_by_cause_and_currency_to_the_last_digit(found: Attention) -> None:
    late, missing = found.causes
    assert (late.cause, late.amounts) == ("event_late", {"gpu_seconds": Decimal("12.5")})
    assert missing.amounts == {"JPY": Decimal("900"), "USD": Decimal("12345678901234567940.12")}
    assert (missing.breaks, missing.customers, missing.first_seen_at) == (3, 3, datetime(2026, 11, 28, 10, tzinfo=UTC))


def test_a_cause_names_the_largest_break_of_each_currency_first(found: Attention) -> None:
    (_, missing) = found.causes
    assert list(missing.break_ids) == ["b3", "b2", "b1"]
    assert list(missing.customer_ids) == ["acct_3", "acct_2", "acct_1"]


def test_accepted_resolved_and_passing_differences_need_nobody(found: Attention) -> None:
    named = {break_id for cause in found.causes for break_id in cause.break_ids} | {
        one.break_id for one in found.expired
    }
    assert named == {"b1", "b2", "b3", "m1", "e1"}


def test_a_break_whose_exception_has_run_out_is_its_owners_and_not_counted_with_its_cause(found: Attention) -> None:
    (one,) = found.expired
    assert (one.break_id, one.owner, one.expires_on) == ("e1", "ada@acme.example", date(2026, 11, 30))
    assert (one.difference, one.currency) == (Decimal("-7.005"), "USD")


def test_amounts_have_the_decimals_of_their_currency(found: Attention, tmp_path: Path) -> None:
    assert [f"{amount:f}" for amount in found.causes[1].amounts.values()] == ["900", "12345678901234567940.12"]
    whole = attention(build(tmp_path / "tieout.duckdb", "delete from reconciliation.fct_breaks where break_id = 'b2'"))
    assert f"{whole.causes[1].amounts['USD']:f}" == "50.00"


def test_an_instant_is_one_whether_duckdb_or_bigquery_gives_it(found: Attention, tmp_path: Path) -> None:
    as_bigquery = """
        alter table marts.dim_streams alter certified_through type timestamptz;
        alter table reconciliation.fct_breaks alter first_seen_at type timestamptz;
    """
    assert attention(build(tmp_path / "tieout.duckdb", as_bigquery)) == found
