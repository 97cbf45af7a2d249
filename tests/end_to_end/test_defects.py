from __future__ import annotations

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks.equality import unequal_tables
from sandbox.answer_key import check
from sandbox.scorecard import score
from tests.end_to_end import finance
from tests.end_to_end.conftest import dbt_run
from tests.referee.comparison import compare
from tests.referee.compiled import bigquery
from tests.referee.googlesql import GoogleSQL, Table
from tests.referee.world import Build
from tests.worlds import Run, demo, small_company, tieout

Change = Callable[[str], str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("all")
    return demo(small_company(folder, "all"), folder / "home")


def test_every_planted_defect_is_found_with_its_exact_amount_and_nothing_else_is_reported(run: Run) -> None:
    scorecard = score(run.dataset, run.warehouse)
    assert scorecard.perfect, f"missed: {scorecard.missed}\nfalse alarms: {scorecard.false_alarms}"


def test_every_figure_of_every_customers_month_is_the_worlds_own_after_the_breaks_amounts(run: Run) -> None:
    verdict = check(run.dataset, run.warehouse)
    assert verdict.wrong == ()
    assert verdict.explained > 0


def test_the_report_names_every_hop_and_the_places_to_go_next(run: Run) -> None:
    for expected in (
        "metered",
        "credits",
        "invoiced",
        "settled",
        "banked",
        "identity",
        "unexplained",
        "demo.duckdb",
        "index.html",
        ".log",
        "tieout report",
    ):
        assert expected in run.output.lower(), f"{expected} is not in the report:\n{run.output}"


def listed(run: Run, *filters: str) -> list[dict[str, Any]]:
    done = tieout("breaks", *filters, "--format", "json", TIEOUT_WAREHOUSE=run.warehouse)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_breaks_lists_what_is_planted_and_each_filter_keeps_only_what_it_says(run: Run) -> None:
    lines = (run.dataset / "answer_key.jsonl").read_text().splitlines()
    planted = [line for line in map(json.loads, lines) if line["status"] in ("break", "timing")]
    everything = listed(run, "--open")
    assert sorted((found["cause"], found["match_key"], Decimal(found["difference"])) for found in everything) == sorted(
        (line["cause"], line["match_key"], Decimal(line["difference"])) for line in planted
    )
    customer = next(found["customer_id"] for found in everything if found["customer_id"])
    for filters, keeps in (
        (("--cause", "underpaid"), lambda found: found["cause"] == "underpaid"),
        (("--customer", customer), lambda found: found["customer_id"] == customer),
        (("--min-amount", "20.00"), lambda found: abs(Decimal(found["difference"])) >= 20),
    ):
        kept = listed(run, "--open", *filters)
        assert kept == [found for found in everything if keeps(found)]
        assert 0 < len(kept) < len(everything)


def test_the_register_is_the_same_in_every_format(run: Run) -> None:
    found = listed(run, "--cause", "underpaid")
    as_csv = tieout("breaks", "--cause", "underpaid", "--format", "csv", TIEOUT_WAREHOUSE=run.warehouse)
    assert list(csv.DictReader(as_csv.stdout.splitlines())) == [
        {name: "" if value is None else str(value) for name, value in each.items()} for each in found
    ]
    as_table = tieout("breaks", "--cause", "underpaid", TIEOUT_WAREHOUSE=run.warehouse)
    for each in found:
        assert each["break_id"][:8] in as_table.stdout
        assert each["left_ref"] in as_table.stdout


def test_a_break_is_explained_with_both_sides_the_payloads_what_it_caused_and_what_to_do(run: Run) -> None:
    (found,) = [each for each in listed(run) if each["cause"] == "invoice_amount_differs"]
    done = tieout("explain", found["break_id"][:8], TIEOUT_WAREHOUSE=run.warehouse)
    assert done.returncode == 0, done.stderr
    for expected in ("What to do", "What it caused", found["left_ref"], found["right_ref"], "shared_id"):
        assert expected in done.stdout
    as_json = tieout("explain", found["break_id"], "--format", "json", TIEOUT_WAREHOUSE=run.warehouse)
    told = json.loads(as_json.stdout)
    assert told["found"] == found
    assert [json.loads(told[side])["id"] for side in ("left_payload", "right_payload")] == [
        found["left_ref"],
        found["right_ref"],
    ]
    as_csv = tieout("explain", found["break_id"], "--format", "csv", TIEOUT_WAREHOUSE=run.warehouse)
    caused = list(csv.DictReader(as_csv.stdout.splitlines()))
    assert [line["object_id"] for line in caused[1:]] == [each["object_id"] for each in told["consequences"]]
    assert told["consequences"]


def test_the_trail_of_a_customer_and_month_adds_up_from_step_to_step(run: Run) -> None:
    ((customer, month),) = run.rows(
        "select customer_id, period from reconciliation.fct_money_trail "
        "where collected_amount > 0 and credits_applied_amount > 0 order by all limit 1"
    )
    named = (str(customer), str(month))
    done = tieout("trail", *named, TIEOUT_WAREHOUSE=run.warehouse)
    assert done.returncode == 0, done.stderr
    steps = ("metered", "rated", "paid by credit", "invoiced", "collected", "settled", "banked", "recognised")
    at = [done.stdout.index(f"{step} ") for step in steps]
    assert at == sorted(at)
    as_json = json.loads(tieout("trail", *named, "--format", "json", TIEOUT_WAREHOUSE=run.warehouse).stdout)
    as_csv = tieout("trail", *named, "--format", "csv", TIEOUT_WAREHOUSE=run.warehouse)
    assert list(csv.DictReader(as_csv.stdout.splitlines())) == as_json
    for trail in as_json:
        amount = {name: Decimal(value) for name, value in trail.items() if name.endswith("_amount")}
        assert amount["metered_amount"] - amount["metered_not_rated_amount"] == amount["rated_amount"]
        assert (
            amount["rated_amount"]
            - amount["credits_applied_amount"]
            + amount["tax_amount"]
            - amount["rated_not_invoiced_amount"]
            == amount["invoiced_amount"]
        )
        assert amount["invoiced_amount"] - amount["invoiced_not_collected_amount"] == amount["collected_amount"]


@pytest.fixture(scope="module")
def asked(run: Run) -> dict[str, finance.Answer]:
    return {answer.name: answer for answer in finance.answers(run)}


def test_the_twenty_questions_of_finance_have_answers_and_docs_finance_shows_them(
    run: Run, asked: dict[str, finance.Answer]
) -> None:
    assert len(asked) == 20
    assert [name for name, answer in asked.items() if not answer.rows or not answer.question.endswith("?")] == []
    stale = "docs/finance.md is not what the analyses say: `make finance` writes it"
    assert finance.PAGE.read_text() == finance.page(list(asked.values()), finance.exponents(run)), stale


def test_what_finance_asks_is_answered_by_sums_that_are_the_marts_own(
    run: Run, asked: dict[str, finance.Answer]
) -> None:
    def summed(name: str, *columns: str) -> dict[Any, Any]:
        """Of each currency what the columns come to."""
        answer, sums = asked[name], defaultdict[Any, Any](Decimal)
        key = next(at for at, column in enumerate(answer.columns) if column.endswith("currency"))
        for row in answer.rows:
            sums[row[key]] += sum(row[answer.columns.index(column)] for column in columns)
        return dict(sums)

    of_month = "from marts.fct_revenue_daily where revenue_date between '2026-09-01' and '2026-09-30'"
    revenue: dict[Any, Any] = {
        row[0]: row[1] for row in run.rows(f"select currency, sum(amount) {of_month} group by all")
    }
    steps = ("billed", "paid_by_credit", "more_unbilled", "less_deferred", "credit_note", "promotional", "breakage")
    assert summed("revenue_against_billing", *(f"{step}_amount" for step in steps)) == revenue
    assert summed("revenue_against_billing", "revenue_amount") == revenue
    assert summed("given_away", "revenue_amount") == revenue
    year = run.rows("select sum(reporting_amount) from marts.fct_revenue_daily where revenue_date < '2026-10-01'")
    assert summed("revenue_by_product", "reporting_amount") == {"USD": year[0][0]}
    # the books know these balances by another way: from documents, not from the marts
    booked = {
        (account, currency): Decimal(str(amount))
        for account, currency, amount in run.rows(
            "select account_id, currency, closing_amount from close.fct_trial_balance where period = '2026-09'"
        )
    }
    for account, side, balance in (
        ("accounts_receivable", 1, summed("receivables_by_age", "open_amount")),
        ("unbilled_receivable", 1, summed("unbilled_usage", "unbilled_amount")),
        ("deferred_revenue", -1, summed("deferred_revenue", "earned_amount", "voided_amount")),
        ("credit_liability", -1, summed("credit_liability", "liability_amount")),
    ):
        assert balance == {currency: side * booked[account, currency] for currency in balance}, account
    assert {row[0] for row in asked["old_breaks"].rows} <= {found["break_id"][:8] for found in listed(run, "--open")}


def test_what_has_changed_since_a_close_is_what_the_books_say_less_what_it_froze(
    run: Run, asked: dict[str, finance.Answer], tmp_path: Path
) -> None:
    with duckdb.connect(shutil.copy(run.warehouse, tmp_path / run.warehouse.name)) as closed:
        closed.execute(
            """
            insert into close.fct_close_ledger by name
            select
                * exclude (figure_id),
                figure_id as close_ledger_row_id,
                'close' as close_id,
                period as close_period,
                now() as closed_as_of,
            from close.fct_close_figures
            where period = '2026-09'
            """
        )
        changed = [row for row in closed.execute(asked["changed_since_the_close"].sql).fetchall() if row[-1] != 0]
        assert changed == []
        closed.execute("update close.fct_close_ledger set amount = amount - 1 where figure = 'credit_notes'")
        changed = closed.execute(asked["changed_since_the_close"].sql).fetchall()
        notes = closed.execute(
            "select currency, count(*) from close.fct_close_ledger where figure = 'credit_notes' group by all"
        )
        assert {row[:2]: row[-1] for row in changed if row[-1] != 0} == {
            ("credit_notes", currency): count for currency, count in notes.fetchall()
        }


def test_bigquery_answers_finance_with_the_same_rows_of_public_marts_alone(
    run: Run, asked: dict[str, finance.Answer], tmp_path: Path
) -> None:
    session, build = GoogleSQL(), Build(run.warehouse, "")
    with bigquery(tmp_path) as project:
        nodes = {node.unique_id: node for node in project.compile("--select", "resource_type:analysis")}
    for answer in asked.values():
        for read in answer.reads:
            assert nodes[read].settings["access"] == "public", f"{answer.name} reads {read}"
            session.know(nodes[read].relation, nodes[read].declared)
    for name, answer in asked.items():
        sql = nodes[f"analysis.tieout.{name}"].sql
        given = {relation: build.rows(relation, session.known[relation]) for relation in session.tables_in(sql)}
        found = session.evaluate(sql, given)
        answered = Table(dict.fromkeys(answer.columns, ""), answer.rows)
        assert compare(answered, found) is None, f"{name}: {compare(answered, found)}"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("breaks", "--cause", "gremlin"), "no cause is called gremlin; there are allowance_ignored, "),
        (("breaks", "--min-amount", "much"), "'much' is no amount: write it like 12.50"),
        (("explain", "zzz"), "no break is called zzz"),
        (("explain", ""), " breaks begin with "),
        (("trail", "acct_0001", "August"), "a month is written like 2026-08; 'August' is not one"),
        (("trail", "nobody", "2026-08"), "there is no money of nobody in 2026-08"),
    ],
)
def test_a_wrong_question_is_answered_with_a_sentence_that_helps(
    run: Run, command: tuple[str, ...], sentence: str
) -> None:
    done = tieout(*command, TIEOUT_WAREHOUSE=run.warehouse)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_running_again_at_once_reads_nothing_new_says_so_and_changes_no_mart_row(run: Run, tmp_path: Path) -> None:
    before = shutil.copy(run.warehouse, tmp_path / "before.duckdb")
    again = run.again()
    assert "nothing new" in again.output.lower()
    # what is looked up after dbt's first run is certified in the next one
    assert unequal_tables(Path(before), run.warehouse, without="certified_through").keys() <= {"marts.dim_streams"}


def test_a_warehouse_rebuilt_from_the_lake_alone_has_equal_marts(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (lake,) = [path for path in run.home.rglob("lake") if path.is_dir()]
    done = tieout("rebuild", TIEOUT_HOME=home, TIEOUT_WAREHOUSE=home / "rebuilt.duckdb", TIEOUT_LAKE=lake)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert unequal_tables(run.warehouse, home / "rebuilt.duckdb") == {}


DETECTORS = {
    "event_missing_in_orb": "rec_metered__event_by_event",
    "event_duplicated_in_orb": "rec_metered__event_by_event",
    "event_unknown_to_app": "rec_metered__event_by_event",
    "event_quantity_differs": "rec_metered__event_by_event",
    "event_wrong_customer": "rec_metered__event_by_event",
    "event_late": "rec_metered__event_by_event",
    "event_amended": "rec_metered__event_by_event",
    "event_deprecated": "rec_metered__event_by_event",
    "backfill_reverted": "rec_metered__event_by_event",
    "period_shifted": "rec_metered__event_by_event",
    "topup_not_granted": "rec_credits__topups_vs_grants",
    "grant_not_paid": "rec_credits__topups_vs_grants",
    "grant_amount_differs": "rec_credits__topups_vs_grants",
    "promo_with_cost_basis": "rec_credits__topups_vs_grants",
    "void_differs": "rec_credits__refunds_vs_voids",
    "ledger_gap": "rec_credits__movements_vs_balances",
    "ledger_arithmetic": "rec_credits__movements_vs_balances",
    "draw_order_wrong": "rec_credits__draw_order_vs_ledger",
    "expired_credit_drawn": "rec_credits__draw_order_vs_ledger",
    "wallet_differs": "rec_credits__wallet_vs_ledger",
    "breakage_missed": "rec_recognised__due_expiries_vs_ledger",
    "prepaid_recognised_early": "rec_recognised__prepaid_lines_vs_use",
    "price_currency_differs": "rec_rated__usage_vs_lines",
    "minimum_missed": "rec_rated__usage_vs_lines",
    "line_missing": "rec_rated__usage_vs_lines",
    "line_without_usage": "rec_rated__usage_vs_lines",
    "price_differs": "rec_rated__usage_vs_lines",
    "allowance_ignored": "rec_rated__usage_vs_lines",
    "discount_misapplied": "rec_rated__usage_vs_lines",
    "maximum_missed": "rec_rated__usage_vs_lines",
    "tier_misapplied": "rec_rated__usage_vs_lines",
    "proration_differs": "rec_rated__usage_vs_lines",
    "billed_quantity_differs": "rec_rated__usage_vs_lines",
    "rounding_differs": "rec_rated__usage_vs_lines",
    "invoice_not_synced": "rec_invoiced__orb_vs_stripe",
    "invoice_synced_twice": "rec_invoiced__orb_vs_stripe",
    "invoice_amount_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_tax_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_currency_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_customer_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_status_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_due_date_differs": "rec_invoiced__orb_vs_stripe",
    "invoice_unknown_to_orb": "rec_invoiced__orb_vs_stripe",
    "void_in_orb_only": "rec_invoiced__orb_vs_stripe",
    "void_in_stripe_only": "rec_invoiced__orb_vs_stripe",
    "draft_past_grace": "rec_invoiced__orb_vs_stripe",
    "draft_in_grace": "rec_invoiced__orb_vs_stripe",
    "paid_in_stripe_only": "rec_invoiced__orb_paid_vs_stripe_paid",
    "payout_composition_differs": "rec_settled__payouts_vs_transactions",
    "payout_unattributed": "rec_settled__payouts_vs_transactions",
    "transaction_in_two_payouts": "rec_settled__transactions_vs_payout_lists",
    "payout_failed": "rec_settled__failed_payouts_vs_returns",
    "balance_rollforward_breaks": "rec_settled__rolled_balance_vs_unsettled",
    "paid_in_orb_only": "rec_invoiced__orb_paid_vs_stripe_paid",
    "credit_note_one_sided": "rec_invoiced__orb_vs_stripe_credit_notes",
    "credit_note_amount_differs": "rec_invoiced__orb_vs_stripe_credit_notes",
    "underpaid": "rec_collected__invoices_vs_payments",
    "overpaid": "rec_collected__invoices_vs_payments",
    "paid_out_of_band": "rec_collected__invoices_vs_payments",
    "payment_pending": "rec_collected__invoices_vs_payments",
    "payment_overdue": "rec_collected__invoices_vs_payments",
    "charged_twice": "rec_collected__payments_vs_charges",
    "payment_customer_differs": "rec_collected__payments_vs_charges",
    "charge_unapplied": "rec_collected__payments_vs_charges",
    "balance_transaction_missing": "rec_collected__movements_vs_balance_transactions",
    "balance_transaction_duplicated": "rec_collected__movements_vs_balance_transactions",
    "conversion_differs": "rec_collected__movements_vs_balance_transactions",
    "fee_off_schedule": "rec_collected__fees_vs_schedule",
    "refund_without_credit_note": "rec_collected__refunds_vs_credit_notes",
    "credit_note_without_refund": "rec_collected__refunds_vs_credit_notes",
    "refund_failed": "rec_collected__refunds_vs_credit_notes",
    "refund_pending": "rec_collected__refunds_vs_credit_notes",
    "refund_overdue": "rec_collected__refunds_vs_credit_notes",
    "dispute_not_booked": "rec_collected__refunds_vs_credit_notes",
    "payout_not_in_bank": "rec_banked__payouts_vs_bank",
    "deposit_amount_differs": "rec_banked__payouts_vs_bank",
    "deposit_unknown": "rec_banked__payouts_vs_bank",
    "deposit_late": "rec_banked__payouts_vs_bank",
    "customer_duplicated_in_stripe": "rec_identity__app_vs_stripe",
    "customer_unmapped": "rec_identity__app_vs_stripe",
    "deleted_customer_active": "rec_identity__app_vs_orb",
}
"""Class -> the model whose SQL names it: each is one line of the model's `causes`."""


@pytest.fixture(scope="module")
def maimed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each copy of the warehouse stands in its turn: at another path dbt would parse the whole project again."""
    return tmp_path_factory.mktemp("maimed") / "maimed.duckdb"


def every_other(first: int) -> list[str]:
    """Half of the classes, every other one of each model's: two builds do for all, and its neighbours stay with each."""
    by_model: dict[str, list[str]] = defaultdict(list)
    for cause, model in DETECTORS.items():
        by_model[model].append(cause)
    return [cause for causes in by_model.values() for cause in causes[first::2]]


def missed_without(run: Run, project: Path, maimed: Path, maim: Sequence[tuple[str, Change]]) -> set[str]:
    """The classes that the scorecard misses once these models' SQL is changed and what depends on them built again."""
    shutil.copy(run.warehouse, maimed)
    files = {model: next((project / "dbt_project").rglob(f"{model}.sql")) for model, _ in maim}
    whole = {model: file.read_text() for model, file in files.items()}
    try:
        for model, change in maim:
            before = files[model].read_text()
            files[model].write_text(change(before))
            assert files[model].read_text() != before, f"{model} has nothing to take out"
        dbt_run(project, maimed, " ".join(f"{model} {model}+,+fct_breaks" for model in files))
    finally:
        for model, file in files.items():
            file.write_text(whole[model])
    return {finding.cause for finding in score(run.dataset, maimed).missed}


@pytest.mark.parametrize("first", [0, 1])
def test_a_class_taken_out_of_its_detector_is_missed(run: Run, project: Path, maimed: Path, first: int) -> None:
    def without(cause: str) -> Change:
        return lambda sql: "".join(line for line in sql.splitlines(True) if f"'cause': '{cause}'" not in line)

    causes = every_other(first)
    missed = missed_without(run, project, maimed, [(DETECTORS[cause], without(cause)) for cause in causes])
    assert set(causes) - missed == set()


def test_what_is_counted_or_matched_is_missed_without_its_rule(run: Run, project: Path, maimed: Path) -> None:
    def countless(sql: str) -> str:
        return sql.replace("test_mode_row", "not_test_mode_row").replace("internal_account", "not_internal_account")

    def one_to_one(sql: str) -> str:
        for window in ("last_payout_in_window", "last_deposit_in_window"):
            sql = sql.replace(f"' and ' ~ {window}", "' and 1 = 0'")
        return sql

    missed = missed_without(
        run, project, maimed, [("fct_excluded_rows", countless), ("rec_banked__payouts_vs_bank", one_to_one)]
    )
    assert {"test_mode_row", "internal_account", "deposit_combined", "deposit_split"} <= missed
