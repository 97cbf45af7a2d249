"""Usage built on is usage built again: whatever lands, the incremental tables have the rows that a full build has."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.dbt_project.conftest import ROOT, Dbt, copy_of, land, rows_of
from tests.dbt_project.raw_objects import USAGE_EVENTS

_TABLES = ("int_usage__landings", "int_usage__app_daily", "int_usage__app_hourly")
_START = datetime(2026, 8, 1, tzinfo=UTC)
_DAYS = 60

_NEWEST = """
with newest as (
    select * from raw_app.usage_events
    where read_at <= ?
    qualify row_number() over (partition by event_id order by read_at desc, batch_id desc) = 1
)
"""
_BY_DAY = f"""{_NEWEST}
select
    customer_id, event_name, model, cast(occurred_at as date) as usage_date,
    sum(input_tokens)::bigint as input_tokens, count(*) as event_count, max(occurred_at) as last_occurred_at
from newest group by all order by all
"""
_BY_HOUR = f"""{_NEWEST}
select date_trunc('hour', occurred_at) as hour_at, count(*) as event_count from newest group by all order by all
"""


@dataclass
class _Product:
    """A product's events and how they land: new ones, late ones, changed ones, moved ones, and batches out of their order."""

    warehouse: Path
    draw: random.Random
    events: dict[str, dict[str, object]] = field(default_factory=dict)
    batches: int = 0

    def batch(self, new: int, *, changed: int = 0, hours: int = 0) -> None:
        """Land a batch; `hours` later than the last one, or earlier."""
        now = _START + timedelta(days=_DAYS)
        rows = []
        for _ in range(new):
            late = self.draw.random() < 0.1
            at = now - timedelta(minutes=self.draw.randrange(40 * 1440 if late else 1440))
            rows.append(self._event(f"event_{len(self.events)}", at))
        for event_id in self.draw.sample(sorted(self.events), min(changed, len(self.events) - new)):
            before = self.events[event_id]["occurred_at"]
            assert isinstance(before, datetime)
            moved = self.draw.choice([timedelta(), timedelta(minutes=5), timedelta(days=self.draw.randrange(-20, 20))])
            rows.append(self._event(event_id, before + moved))
        self.land(list({str(row["event_id"]): row for row in rows}.values()), hours)

    def land(self, rows: list[dict[str, object]], hours: int = 0) -> None:
        self.batches += 1
        read_at = _START + timedelta(days=_DAYS, hours=self.batches + hours)
        landed = [{**row, "batch_id": f"{self.draw.getrandbits(64):016x}", "read_at": read_at} for row in rows]
        batch_id = landed[0]["batch_id"]
        table = pa.Table.from_pylist([{**row, "batch_id": batch_id} for row in landed], schema=USAGE_EVENTS.schema)
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.register("landed", table)
            connection.execute("insert into raw_app.usage_events by name from landed")

    def _event(self, event_id: str, at: datetime) -> dict[str, object]:
        self.events[event_id] = event = {
            "event_id": event_id,
            "customer_id": self.draw.choice(["acct_1", "acct_2"]),
            "event_name": "text_generation",
            "model": self.draw.choice(["small", "large"]),
            "input_tokens": self.draw.randrange(1000),
            "output_tokens": 1,
            "occurred_at": at,
            "recorded_at": at,
        }
        return event


@pytest.fixture
def product(tmp_path: Path) -> _Product:
    warehouse = tmp_path / "tieout.duckdb"
    land(warehouse, {})
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("delete from raw_app.usage_events")
    return _Product(warehouse, random.Random(7))


def _build(dbt: Dbt, product: _Product, *arguments: str) -> None:
    select = ["stg_app__usage_events", "int_usage__app_events", *_TABLES]
    built = dbt.invoke(
        "build", "--select", *select, "--exclude-resource-type", "unit_test", *arguments, warehouse=product.warehouse
    )
    assert built.success, built.exception or [
        (result.node.name, result.message) for result in built.result if result.status in ("error", "fail")
    ]


def _tables(product: _Product) -> list[list[dict[str, object]]]:
    return [rows_of(product.warehouse, f"select * from intermediate.{table} order by all") for table in _TABLES]


def _assert_is_what_landed(product: _Product, as_of: datetime = datetime(2100, 1, 1, tzinfo=UTC)) -> None:
    by_day = rows_of(
        product.warehouse,
        "select customer_id, event_name, model, usage_date, input_tokens, event_count, last_occurred_at "
        "from intermediate.int_usage__app_daily where event_count > 0 order by all",
    )
    by_hour = rows_of(
        product.warehouse,
        "select hour_at, event_count from intermediate.int_usage__app_hourly where hour_at is not null order by all",
    )
    assert by_day == rows_of(product.warehouse, _BY_DAY, as_of)
    assert by_hour == rows_of(product.warehouse, _BY_HOUR, as_of)


def test_built_on_after_late_changed_and_moved_events_it_is_what_a_full_build_makes(
    dbt: Dbt, product: _Product
) -> None:
    product.batch(300)
    _build(dbt, product)
    for hours in (0, 0, -5, 0):
        product.batch(20, changed=10, hours=hours)
        product.batch(5, changed=10)
        _build(dbt, product)
        _assert_is_what_landed(product)
    built_on = _tables(product)
    _build(dbt, product, "--full-refresh")
    assert built_on == _tables(product)


def test_a_batch_that_was_read_before_a_build_and_loaded_after_it_is_picked_up(dbt: Dbt, product: _Product) -> None:
    product.batch(50)
    product.batch(50)
    _build(dbt, product)
    product.batch(1, changed=20, hours=-30)
    _build(dbt, product)
    _assert_is_what_landed(product)


def test_a_day_whose_last_event_moved_away_is_empty_and_stays_so_when_it_is_built_again(
    dbt: Dbt, product: _Product
) -> None:
    product.land([product._event("moving", _START)])
    _build(dbt, product)
    product.land([product._event("moving", _START + timedelta(days=3))])
    _build(dbt, product)
    _assert_is_what_landed(product)
    # The old day is built once more, now that its old row's successor is on a day that is not.
    product.land([product._event("another", _START)])
    _build(dbt, product)
    _assert_is_what_landed(product)


def test_a_day_that_nothing_landed_for_is_not_built_again(dbt: Dbt, product: _Product) -> None:
    product.land([product._event("old", _START), product._event("young", _START + timedelta(days=50))])
    _build(dbt, product)
    _mark(product)
    product.land([product._event("younger", _START + timedelta(days=50))])
    _build(dbt, product)
    assert _marked(product) == [_START.date()]


def test_a_table_that_other_code_made_is_made_again(dbt: Dbt, product: _Product) -> None:
    product.batch(50)
    _build(dbt, product)
    _mark(product)
    with duckdb.connect(str(product.warehouse)) as connection:
        connection.execute("update intermediate.int_usage__app_daily set code_version = 'other'")
    _build(dbt, product)
    assert _marked(product) == []


def test_as_of_a_moment_it_is_what_had_landed_by_then_and_the_next_build_goes_on(dbt: Dbt, product: _Product) -> None:
    product.batch(100)
    product.batch(30, changed=30)
    _build(dbt, product)
    then = _START + timedelta(days=_DAYS, hours=1)
    _build(dbt, product, "--vars", f"{{as_of: '{then:%Y-%m-%dT%H:%M:%SZ}'}}")
    _assert_is_what_landed(product, then)
    _build(dbt, product)
    _assert_is_what_landed(product)


@pytest.mark.parametrize("table", _TABLES)
def test_a_build_that_is_killed_leaves_nothing_that_the_next_one_does_not_mend(
    dbt: Dbt, product: _Product, tmp_path: Path, table: str
) -> None:
    product.batch(300)
    _build(dbt, product)
    product.batch(50, changed=50)
    (tmp_path / "killed").mkdir()
    # This process has the file open since it built it.
    product.warehouse = copy_of(product.warehouse, tmp_path / "killed")
    where = [
        "--project-dir",
        str(ROOT),
        "--profiles-dir",
        str(ROOT),
        "--target-path",
        str(tmp_path),
        "--log-path",
        str(tmp_path),
    ]
    with subprocess.Popen(
        [Path(sys.executable).with_name("dbt"), "--no-use-colors", "run", "--select", *_TABLES, *where],
        env=os.environ | {"TIEOUT_WAREHOUSE": str(product.warehouse), "DO_NOT_TRACK": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        reached = any(f"START sql incremental model intermediate.{table}" in line for line in run.stdout)
        run.kill()
        assert reached
    _build(dbt, product)
    _assert_is_what_landed(product)


def _mark(product: _Product) -> None:
    with duckdb.connect(str(product.warehouse)) as connection:
        connection.execute("update intermediate.int_usage__app_daily set output_tokens = -1")


def _marked(product: _Product) -> list[object]:
    found = rows_of(
        product.warehouse, "select usage_date from intermediate.int_usage__app_daily where output_tokens = -1"
    )
    return [row["usage_date"] for row in found]
