from __future__ import annotations

import json
import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sandbox.answer_key import check
from sandbox.scorecard import score
from tests.end_to_end.conftest import ROOT
from tests.worlds import BIN, Run, tieout


@pytest.fixture
def run(clean_run: Run) -> Run:
    return clean_run


def test_a_clean_world_has_no_break(run: Run) -> None:
    assert run.rows("select * from reconciliation.fct_breaks") == []
    assert score(run.dataset, run.warehouse).perfect


def test_every_figure_of_every_customers_month_is_the_worlds_own(run: Run) -> None:
    verdict = check(run.dataset, run.warehouse)
    assert verdict.wrong == ()
    assert verdict.compared > 500
    assert verdict.explained == 0


@pytest.mark.parametrize(
    ("table", "amount", "figure"),
    [
        ("marts.fct_revenue_daily", "amount", "usage"),
        ("marts.fct_credit_liability", "closing_amount", "credit_liability"),
        ("close.fct_journal_entries", "debit_amount", "fees"),
    ],
)
def test_a_figure_that_is_a_cent_off_is_seen(table: str, amount: str, figure: str, run: Run, tmp_path: Path) -> None:
    which = {
        "usage": "revenue_kind = 'usage'",
        "credit_liability": "closing_amount > 0",
        "fees": "account_id = 'processing_fees'",
    }
    shutil.copy(run.warehouse, tmp_path / "wrong.duckdb")
    with duckdb.connect(str(tmp_path / "wrong.duckdb")) as connection:
        row = f"rowid = (select min(rowid) from {table} where {which[figure]})"
        connection.execute(f"update {table} set {amount} = {amount} + 0.01 where {row}")
    (wrong,) = check(run.dataset, tmp_path / "wrong.duckdb").wrong
    assert (wrong.figure, abs(wrong.truth - wrong.said)) == (figure, Decimal("0.01"))


def test_every_bridge_of_a_clean_world_has_nothing_unexplained(run: Run) -> None:
    lines = run.rows("select hop, currency, amount from reconciliation.rec_bridge where line = 'unexplained'")
    assert lines
    assert [line for line in lines if line[2] != 0] == []


def test_every_hop_of_a_clean_world_compares_something(run: Run) -> None:
    compared = run.rows("select distinct hop from reconciliation.rec_bridge where line = 'left_total' and amount > 0")
    assert {hop for (hop,) in compared} >= {
        "metered",
        "rated",
        "credits",
        "invoiced",
        "collected",
        "settled",
        "banked",
        "recognised",
        "identity",
    }


def test_every_mart_has_rows(run: Run) -> None:
    tables = run.rows("select table_name from duckdb_tables() where schema_name = 'marts'")
    empty = [name for (name,) in tables if run.rows(f"select count(*) from marts.{name}") == [(0,)]]
    assert empty == []


def test_every_unit_test_of_the_models_passes(run: Run, tmp_path: Path) -> None:
    where = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(tmp_path)]
    done = subprocess.run(
        [BIN / "dbt", "--quiet", "test", "--select", "test_type:unit", "--log-path", str(tmp_path), *where],
        env={"PATH": os.environ["PATH"], "TIEOUT_WAREHOUSE": str(run.warehouse), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_a_figure_is_explained_from_the_number_down_to_the_batches_of_its_usage(run: Run) -> None:
    ((customer, currency, _),) = run.rows(
        """
        select customer_id, currency, sum(amount) as revenue
        from marts.fct_revenue_daily
        where strftime(revenue_date, '%Y-%m') = '2026-08' and product_id = 'gpu_compute'
        group by all
        order by revenue desc
        limit 1
        """
    )
    ((revenue,),) = run.rows(
        f"""
        select sum(amount)
        from marts.fct_revenue_daily
        where strftime(revenue_date, '%Y-%m') = '2026-08' and customer_id = '{customer}'
        """
    )
    done = tieout(
        *("explain", "revenue", "2026-08", "--customer", str(customer), "--format", "json"),
        TIEOUT_HOME=run.home,
        TIEOUT_WAREHOUSE=run.warehouse,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for step in ("parts", "documents"):
        assert sum(Decimal(each["amount"]) for each in found[step]) == revenue
        assert {each["currency"] for each in found[step]} == {currency}
    assert {line["invoice_id"] for line in found["lines"]} <= {each["document_id"] for each in found["documents"]}
    assert all(each["batch_id"] and each["read_at"] for each in found["documents"])
    events = run.rows(
        f"""
        select count(*)
        from intermediate.int_usage__app_events
        where customer_id = '{customer}' and strftime(occurred_at, '%Y-%m') = '2026-08'
        """
    )
    assert [(sum(each["event_count"] for each in found["usage_batches"]),)] == events


def test_a_figure_that_nobody_books_is_answered_with_those_there_are(run: Run) -> None:
    done = tieout("explain", "revenues", "2026-08", "--customer", "acct_0001", TIEOUT_WAREHOUSE=run.warehouse)
    assert done.returncode == 1
    assert "there are accounts_receivable, " in done.stderr
