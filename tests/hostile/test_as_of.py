from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.hostile.as_of import History, history_of
from tests.hostile.company import hostile_company


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("as_of")
    with hostile_company(folder / "company", seed=7) as company:
        yield history_of(company, folder, seed=7, runs=8, looks=2)


def test_the_history_has_all_that_can_be_known_too_early(history: History) -> None:
    with duckdb.connect(str(history.settings.warehouse), read_only=True) as connection:
        (found,) = connection.execute(
            """
            select
                (select count(distinct object_id) from raw_orb.invoices where payload ->> 'status' = 'draft'),
                (select count(distinct object_id) from raw_orb.invoices where payload ->> 'status' = 'paid'),
                (select count(distinct object_id) from raw_stripe.invoices where payload ->> 'status' = 'open'),
                (select count(*) from raw_stripe.balance_transactions where is_deleted)
                + (select count(*) from raw_stripe.charges where is_deleted)
                + (select count(*) from raw_orb.credit_ledger where is_deleted),
                (select count(*) - count(distinct event_id) from raw_app.usage_events),
                (select count(*) filter (source_value <> landed_value) from raw_tieout.certificates),
                (select count(*) from raw_tieout.differences),
                (select count(*) from raw_quarantine.rejected),
                (select count(*) from raw_orb.events),
                (select count(distinct read_at) - 1 from raw_tieout.break_sightings),
                (select count(*) from raw_tieout.break_sightings where is_deleted)
            """
        ).fetchall()
    assert all(found), found


def test_as_of_a_moment_it_is_what_a_warehouse_holds_that_received_nothing_since(
    history: History, tmp_path: Path
) -> None:
    on_a_batch, before_one, _ = history.moments(3, random.Random(7))
    # By dbt itself, over tables that stand as of a later moment.
    assert history.differences(history.build(on_a_batch, tmp_path / "on", by_dbt=True)) == {}
    assert history.differences(history.build(before_one, tmp_path / "before")) == {}
    assert history.statements.of_the_clock == ()


def test_a_model_that_reads_what_came_later_is_found(history: History, tmp_path: Path) -> None:
    *_, moment = history.moments(3, random.Random(7))
    known = history.build(moment, tmp_path)
    assert history.differences(known) == {}
    for model in ("stg_orb__invoices", "stg_tieout__break_sightings"):
        (honest,) = (each for each in history.statements.models if each.node.endswith(f".{model}"))
        told = honest.statement.replace("where read_at <=", "where read_at is not null or read_at <=")
        for warehouse in (history.settings.warehouse, known):
            replace(history.statements, models=[replace(honest, statement=told)]).run(warehouse, moment)
        assert history.differences(known).keys() == {f"staging.{model}"}
        replace(history.statements, models=[honest]).run(history.settings.warehouse, moment)


@pytest.mark.parametrize("clock", ["current_date", "now()", "timestamptz '{built_on} 10:00:00.000000+00:00'"])
def test_a_model_that_asks_the_clock_is_named(history: History, clock: str) -> None:
    first, *others = history.statements.models
    asking = replace(first, statement=f"select {clock.format(built_on=history.statements.built_on)} as built_at")
    assert replace(history.statements, models=[asking, *others]).of_the_clock == (first.node,)
