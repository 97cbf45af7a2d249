from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from expectations.runner import run_suites
from expectations.suite import SUITES, FailedExpectation, SuiteError, read_suites
from tests.miniature import build

# One defect per promise: the change that breaks it, in the mart the promise is about.
DEFECTS = {
    (
        "fct_invoices",
        "An invoice adds up",
    ): "update marts.fct_invoices set tax_amount = 6.99 where invoice_id = 'inv_1'",
    ("fct_invoices", "Invoices are in currencies we bill in"): "update marts.fct_invoices set currency = 'GBP'",
    (
        "fct_invoices",
        "No amount is finer than the currency's smallest coin",
    ): "update marts.fct_invoices set amount_due = 9900.5 where currency = 'JPY'",
    (
        "fct_invoices",
        "No invoice is for less than nothing",
    ): "update marts.fct_invoices set total_amount = -total_amount",
    ("fct_invoices", "No more is paid than was due"): "update marts.fct_invoices set amount_paid = amount_due + 0.01",
    ("fct_invoices", "An invoice is due on or after its date"): "update marts.fct_invoices set due_date = '2026-07-30'",
    (
        "fct_invoices",
        "A month has at least half as many invoices as the month before",
    ): "insert into marts.fct_invoices by name select 'i' || n as invoice_id, 'paid' as status, "
    "case when n < 6 then date '2026-05-31' else date '2026-06-30' end as invoice_date from range(8) as r (n)",
    ("fct_usage_daily", "No usage is negative"): "update marts.fct_usage_daily set quantity = -1",
    (
        "fct_usage_daily",
        "No usage lies in the future",
    ): "update marts.fct_usage_daily set usage_date = current_date + interval 1 day where usage_date = '2026-07-03'",
    (
        "fct_usage_daily",
        "Usage is counted on the UTC day it happened",
    ): "update marts.fct_usage_daily set last_occurred_at = last_occurred_at + interval 1 hour",
    (
        "fct_usage_daily",
        "Tokens and requests come in whole numbers",
    ): "update marts.fct_usage_daily set quantity = 4999.5 where unit = 'token'",
    (
        "fct_usage_daily",
        "A request is one event",
    ): "update marts.fct_usage_daily set event_count = 2001 where unit = 'request'",
    (
        "fct_usage_daily",
        "No day is without usage once there are a thousand events a day",
    ): "delete from marts.fct_usage_daily where usage_date = '2026-07-02'",
    (
        "fct_usage_daily",
        "A day has at least a fifth of the events of the seven days before it, on average",
    ): "update marts.fct_usage_daily set event_count = 1 where usage_date = '2026-07-02'",
    ("fct_revenue_daily", "Revenue is in currencies we bill in"): "update marts.fct_revenue_daily set currency = 'usd'",
    (
        "fct_revenue_daily",
        "No revenue is recognised before its day",
    ): "update marts.fct_revenue_daily set revenue_date = current_date + interval 1 day where revenue_daily_id = 'r1'",
    (
        "fct_revenue_daily",
        "Over a month revenue is positive, discounts and promotional credit are negative",
    ): "update marts.fct_revenue_daily set amount = -amount where revenue_kind = 'promotional_credit'",
    (
        "fct_revenue_daily",
        "Credit notes take back no more than what was billed",
    ): "update marts.fct_revenue_daily set amount = -amount where revenue_kind = 'credit_note'",
    (
        "fct_revenue_daily",
        "No customer's revenue exceeds what was invoiced before tax",
    ): "update marts.fct_invoices set status = 'void' where customer_id = 'acct_0002'",
    (
        "fct_revenue_daily",
        "Our own accounts earn nothing",
    ): "update marts.fct_revenue_daily set customer_id = 'acct_0009' where revenue_daily_id = 'r1'",
    (
        "fct_revenue_daily",
        "Every day between the first and the last has revenue",
    ): "delete from marts.fct_revenue_daily where revenue_date = '2026-07-02'",
    (
        "fct_revenue_daily",
        "Every amount of revenue has an exchange rate",
    ): "update marts.fct_revenue_daily set reporting_amount = null where revenue_daily_id = 'r1'",
    ("rec_bridge", "Nothing is unexplained"): "update reconciliation.rec_bridge set amount = 0.000000001 "
    "where line = 'unexplained' and currency = 'JPY'",
    (
        "rec_bridge",
        "Left total plus every bridging item is the right total",
    ): "delete from reconciliation.rec_bridge where line = 'invoice_not_synced'",
    (
        "rec_bridge",
        "Every bridge has both ends and its last line",
    ): "delete from reconciliation.rec_bridge where line = 'unexplained' and currency = 'JPY'",
    (
        "rec_bridge",
        "Every comparison is in the bridge",
    ): "delete from reconciliation.rec_bridge where comparison = 'banked__payouts_vs_bank'",
    (
        "fct_breaks",
        "Every break has a cause",
    ): "update reconciliation.fct_breaks set cause = 'unexplained' where break_id = 'b1'",
    (
        "fct_breaks",
        "The difference is left minus right",
    ): "update reconciliation.fct_breaks set difference = -difference where break_id = 'b4'",
    (
        "fct_breaks",
        "No single cause has more than a thousand breaks",
    ): "insert into reconciliation.fct_breaks select b.* from reconciliation.fct_breaks as b, range(1001) where break_id = 'b1'",
    ("fct_payouts", "Payouts are in currencies we hold an account in"): "update marts.fct_payouts set currency = 'CHF'",
    (
        "fct_payouts",
        "No payout arrives before it was sent",
    ): "update marts.fct_payouts set arrival_date = '2026-08-09' where payout_id = 'po_1'",
    (
        "fct_payouts",
        "A payout arrives within fourteen days",
    ): "update marts.fct_payouts set arrival_date = '2026-08-25' where payout_id = 'po_1'",
}


def run(warehouse: Path, suite: str) -> dict[str, FailedExpectation]:
    (result,) = run_suites(warehouse, warehouse.parent / "docs", [suite])
    return {failure.expects: failure for failure in result.failed}


def every_comparison() -> str:
    """A bridge for each comparison that the suite expects; the miniature has only a few."""
    suite = yaml.safe_load((SUITES / "rec_bridge.yml").read_text())
    (names,) = [each["value_set"] for each in suite["expectations"] if each.get("column") == "comparison"]
    return f"""
        insert into reconciliation.rec_bridge
        select comparison, split_part(comparison, '__', 1), '2026-07', 'CHF', line_no, line, 0
        from unnest({names}) as comparisons (comparison)
        cross join (values (1, 'left_total'), (2, 'unexplained'), (3, 'right_total')) as lines (line_no, line)
    """


def test_every_suite_holds_on_a_warehouse_that_ties(tmp_path: Path) -> None:
    results = run_suites(build(tmp_path / "tied.duckdb", every_comparison()), tmp_path / "docs")
    assert {result.name: result.failed for result in results} == {suite.name: () for suite in read_suites()}
    assert all(result.success and result.docs.is_file() for result in results)
    assert [result.evaluated for result in results] == [len(suite.expectations) for suite in read_suites()]


@pytest.mark.parametrize(
    ("suite", "promise"),
    [(suite.name, each.expects) for suite in read_suites() for each in suite.expectations],
    ids=lambda text: text.replace(" ", "_"),
)
def test_every_expectation_fails_on_the_defect_it_is_there_for(
    suite: str, promise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("expectations.runner.write_docs", lambda *_: None)  # the pages are most of the time of a run
    failed = run(build(tmp_path / "broken.duckdb", DEFECTS[suite, promise]), suite)
    assert promise in failed
    assert "could not be evaluated" not in failed[promise].observed


def test_a_warning_does_not_fail_the_suite_and_a_critical_does(tmp_path: Path) -> None:
    late = build(tmp_path / "late.duckdb", DEFECTS["fct_payouts", "A payout arrives within fourteen days"])
    early = build(tmp_path / "early.duckdb", DEFECTS["fct_payouts", "No payout arrives before it was sent"])
    assert [run_suites(each, tmp_path / "docs", ["fct_payouts"])[0].success for each in (late, early)] == [True, False]


def test_amounts_stay_decimals_beyond_what_a_float_holds(tmp_path: Path) -> None:
    change = "update reconciliation.rec_bridge set amount = 12345678901234567.000000001 where line = 'unexplained'"
    failed = run(build(tmp_path / "large.duckdb", change), "rec_bridge")
    assert "amount 12345678901234567.000000001" in failed["Nothing is unexplained"].observed


def test_observed_quotes_rows_not_only_a_count(tmp_path: Path) -> None:
    failed = run(build(tmp_path / "w.duckdb", DEFECTS["fct_invoices", "An invoice adds up"]), "fct_invoices")
    assert failed["An invoice adds up"].observed == (
        "1 row: invoice_id inv_1, currency USD, subtotal_amount 100, discount_amount 10, minimum_amount 0, "
        "credits_applied_amount 20, tax_amount 6.99, total_amount 77"
    )


def test_an_expectation_that_cannot_be_evaluated_is_a_critical_failure(tmp_path: Path) -> None:
    warehouse = build(tmp_path / "w.duckdb", "alter table marts.fct_payouts drop column created_at")
    failed = run(warehouse, "fct_payouts")["A payout arrives within fourteen days"]
    assert failed.severity == "critical"
    assert failed.observed.startswith("could not be evaluated: ")


def test_the_warehouse_can_be_written_again_after_a_run(tmp_path: Path) -> None:
    warehouse = build(tmp_path / "w.duckdb")
    run_suites(warehouse, tmp_path / "docs", ["rec_bridge"])
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table written (id bigint)")


def test_docs_load_nothing_from_the_internet_and_give_the_reason(tmp_path: Path) -> None:
    warehouse = build(tmp_path / "w.duckdb", DEFECTS["rec_bridge", "Nothing is unexplained"])
    (result,) = run_suites(warehouse, tmp_path / "docs", ["rec_bridge"])
    pages = {page: page.read_text() for page in (tmp_path / "docs").rglob("*.html")}
    assert len(pages) == 3
    for text in pages.values():
        assert not any(tag in text for tag in ("<link", "<script", "<img", "@import"))
    assert "0.000000001" in pages[result.docs]
    assert "the month cannot be closed on it" in pages[result.docs]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("mart: [", "bad.yml is not YAML"),
        ("expectations: []", "bad.yml: a suite has exactly two keys"),
        ("{mart: fct_invoices, expectations: [x]}", "write it as schema.table"),
        ("{mart: marts.fct_payouts, expectations: []}", "at least one entry"),
        ("{mart: marts.fct_payouts, expectations: [{expects: a, why: b, severity: critical}]}", "expectation 1: type"),
        ("{mart: marts.fct_payouts, expectations: [{expects: a, why: b, severity: loud, type: t}]}", "is 'loud'"),
        ("{mart: marts.fct_payouts, expectations: [{expects: a, why: b, severity: warning, type: t}]}", "knows no t"),
        (
            "{mart: marts.fct_payouts, expectations: [{expects: a, why: b, severity: warning, "
            "type: expect_column_values_to_be_between, colunm: amount}]}",
            "colunm",
        ),
    ],
)
def test_a_malformed_suite_is_named_with_file_and_entry(content: str, message: str, tmp_path: Path) -> None:
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "bad.yml").write_text(content)
    with pytest.raises(SuiteError, match=r"bad\.yml") as error:
        run_suites(build(tmp_path / "w.duckdb"), tmp_path / "docs", folder=suites)
    assert message in str(error.value)


def test_the_same_promise_twice_in_a_suite_is_refused(tmp_path: Path) -> None:
    entry = {"expects": "a", "why": "b", "severity": "warning", "type": "t"}
    (tmp_path / "twice.yml").write_text(yaml.safe_dump({"mart": "marts.t", "expectations": [entry, entry]}))
    with pytest.raises(SuiteError, match="there twice: a"):
        read_suites(folder=tmp_path)


def test_a_missing_warehouse_mart_or_suite_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="there is no warehouse at"):
        run_suites(tmp_path / "none.duckdb", tmp_path / "docs")
    with pytest.raises(SuiteError, match=r"marts\.fct_payouts is not in .*: build the marts first"):
        run_suites(build(tmp_path / "w.duckdb", "drop table marts.fct_payouts"), tmp_path / "docs", ["fct_payouts"])
    with pytest.raises(SuiteError, match="no suite named fct_nothing"):
        read_suites(["fct_nothing"])


def test_a_suite_holds_no_money_as_a_float() -> None:
    for path in SUITES.glob("*.yml"):
        numbers = [value for entry in yaml.safe_load(path.read_text())["expectations"] for value in entry.values()]
        assert not [value for value in numbers if isinstance(value, float | Decimal)], path.name
