from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from sandbox.answer_key import check
from sandbox.scorecard import score
from tests.end_to_end.conftest import BIN, ROOT, Run, demo


@pytest.fixture(scope="module")
def run(small_world: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return demo(small_world("none"), tmp_path_factory.mktemp("home"))


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
