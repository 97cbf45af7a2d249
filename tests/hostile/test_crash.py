from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from ingestion.streams import stream_named
from tests.hostile.company import Company
from tests.hostile.comparison import Comparison, compare
from tests.hostile.crash import Outcome, crash
from tests.hostile.run import started

_DIES_AFTER_LOADING = """
import os, signal
from ingestion.__main__ import main
from ingestion.warehouses.duckdb import DuckDBWarehouse

def load_and_die(*arguments, load=DuckDBWarehouse.load):
    load(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)

DuckDBWarehouse.load = load_and_die
main(["stripe.products"])
"""


def test_killed_at_random_moments_the_sync_loses_nothing_and_lands_nothing_twice(
    company: Company, tmp_path: Path
) -> None:
    outcome = crash(company, tmp_path, kills=6, seed=11)
    assert outcome == Outcome(outcome.kills, Comparison(), Comparison(), last_words="")
    assert outcome.kills.total() == 6


def test_a_load_whose_answer_was_lost_is_not_loaded_again(company: Company, tmp_path: Path) -> None:
    environment = {**company.environment, "TIEOUT_HOME": str(tmp_path)}
    died = subprocess.run([sys.executable, "-c", _DIES_AFTER_LOADING], env=environment, check=False)
    assert died.returncode == -signal.SIGKILL
    with started(company.environment, tmp_path, "stripe.products") as again:
        said, _ = again.communicate()
    assert "0 new" in said
    assert compare(company, company.settings(tmp_path), [stream_named("stripe.products")]) == Comparison()


def test_of_two_runs_at_a_time_the_second_is_refused_with_a_sentence(company: Company, tmp_path: Path) -> None:
    with psycopg.connect(company.database) as locked, psycopg.connect(company.database, autocommit=True) as watching:
        locked.execute("lock table contracts in access exclusive mode")
        with started(company.environment, tmp_path, "app.contracts") as first:
            while not watching.execute("select 1 from pg_locks where not granted").fetchone():
                assert first.poll() is None
            with started(company.environment, tmp_path, "app.price_book") as second:
                _, refusal = second.communicate()
            locked.rollback()
            first.communicate()
    assert (first.returncode, second.returncode) == (0, 1)
    assert refusal.startswith(
        f"another run is reading into {tmp_path / 'tieout.duckdb'}: there is one writer at a time"
    )
    assert refusal.count("\n") == 1


def test_of_two_runs_started_at_the_same_time_each_lands_what_is_there_once_or_is_refused(
    company: Company, tmp_path: Path
) -> None:
    name = "app.usage_events"
    with (
        started(company.environment, tmp_path, name) as one,
        started(company.environment, tmp_path, name) as other,
    ):
        said = {process: process.communicate()[1] for process in (one, other)}
    assert 0 in {process.returncode for process in said}
    assert all(process.returncode == 0 or "there is one writer at a time" in error for process, error in said.items())
    assert compare(company, company.settings(tmp_path), [stream_named(name)]) == Comparison()
