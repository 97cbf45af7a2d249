"""Builds the models as of past moments, and from only what was known by then: `python -m tests.hostile.as_of --seed 7`.

One warehouse has received everything. For each moment it is built as of that moment, over whatever it was built for before, and
so is a new one, rebuilt from the batches of the lake that were finished by then. Both must have the same rows in every table.

The statements of a real `dbt build` are run again with another moment in them, in the order of that build; a sample of the
moments is built by dbt itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.equality import unequal_tables
from benchmarks.warehouse import dbt
from ingestion.lake import Batch, Lake
from ingestion.settings import Settings
from ingestion.streams import BREAK_SIGHTINGS, EVIDENCE, STREAMS, stream_named
from ingestion.sync import rebuild, sync
from tests.hostile.company import Company, hostile_company
from tests.hostile.history import Clock, tell
from tests.hostile.rebuild import Model, models
from tests.hostile.run import started

_LAYERS = ("staging", "intermediate", "marts", "reconciliation", "close")
_LOOKED_UP = stream_named("orb.events")
_CLOCK = re.compile(
    r"\b(?:current_(?:date|time|timestamp|datetime)\b|(?:now|today|get_current_\w+|localtime\w*|random|uuid)\s*\()",
    re.I,
)
_PATIENCE = 600.0


@dataclass(frozen=True)
class Statements:
    """What dbt builds, in its order, as of a moment whose text stands in the statements."""

    models: Sequence[Model]
    moment: str
    built_on: str

    @staticmethod
    def of_build(warehouse: Path, target: Path, moment: datetime) -> Statements:
        """Those of a real build of a warehouse, which is built by it. Raises ContestantFailed with what dbt said."""
        built_on = f"{datetime.now(UTC):%Y-%m-%d}"
        build(warehouse, target, moment)
        return Statements(models(json.loads((target / "manifest.json").read_text())), _told(moment), built_on)

    def run(self, warehouse: Path, moment: datetime) -> None:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for layer in _LAYERS:
                connection.execute(f"create schema if not exists {layer}")
            for model in self.models:
                kind = "view" if model.is_view else "table"
                statement = model.statement.replace(self.moment, _told(moment))
                connection.execute(f"create or replace {kind} {model.relation} as {statement}")

    @property
    def of_the_clock(self) -> tuple[str, ...]:
        """The models that ask what time it is: they are not as of any moment."""
        return tuple(
            model.node for model in self.models if self.built_on in model.statement or _CLOCK.search(model.statement)
        )


def build(warehouse: Path, target: Path, moment: datetime) -> None:
    """By dbt itself. Raises ContestantFailed with what it said."""
    as_of = json.dumps({"as_of": _told(moment)})
    dbt(warehouse, target, "build", "--vars", as_of, "--exclude-resource-type", "test", "unit_test")


@dataclass(frozen=True)
class History:
    """A warehouse that has received everything, the batches of its lake, oldest first, and when the first run had ended."""

    settings: Settings
    statements: Statements
    batches: tuple[Batch, ...]
    ready: datetime

    def moments(self, count: int, chance: random.Random) -> Iterator[datetime]:
        """As often on the moment at which a batch was finished as a microsecond before that and at any time."""
        finished = [batch.manifest.finished_at for batch in self.batches if batch.manifest.finished_at > self.ready]
        for number in range(count):
            exactly = chance.choice(finished)
            between = self.ready + (finished[-1] - self.ready) * chance.random()
            yield (exactly, exactly - timedelta(microseconds=1), between)[number % 3]

    def known_by(self, moment: datetime, folder: Path) -> Path:
        """A new warehouse that only ever received the batches that were finished by then."""
        known = replace(self.settings, home=folder, lake=folder / "lake", warehouse=folder / "tieout.duckdb")
        for batch in self.batches:
            if batch.manifest.finished_at <= moment:
                link = known.lake / Path(batch.path).relative_to(self.settings.lake)
                link.parent.mkdir(parents=True, exist_ok=True)
                os.link(batch.path, link)
        rebuild(known)
        with duckdb.connect(str(known.warehouse)) as connection:
            connection.execute(f"attach '{self.settings.warehouse}' as everything (read_only); create schema seeds")
            seeds = (
                "select table_name from duckdb_tables() where database_name = 'everything' and schema_name = 'seeds'"
            )
            for (seed,) in connection.execute(seeds).fetchall():
                connection.execute(f"create table seeds.{seed} as from everything.seeds.{seed}")
        return known.warehouse

    def build(self, moment: datetime, folder: Path, *, by_dbt: bool = False) -> Path:
        """Both warehouses as of the moment; the path of the one that knows no more than was known by then."""
        known = self.known_by(moment, folder)
        if by_dbt:
            build(self.settings.warehouse, folder / "target", moment)
        else:
            self.statements.run(self.settings.warehouse, moment)
        self.statements.run(known, moment)
        return known

    def differences(self, known: Path) -> dict[str, int]:
        """Tables of which the two warehouses have other rows, with the number of rows that only one of them has."""
        return unequal_tables(self.settings.warehouse, known, schemas=_LAYERS)


def history_of(company: Company, folder: Path, seed: int, *, runs: int, looks: int) -> History:
    """`runs` syncs of a company over its two months; after `looks` of them the models are built, the events that differ looked up
    in Orb, and what does not tie is landed."""
    once = company.settings(folder / "once")
    with started(company.environment, once.home) as process:
        _, errors = process.communicate(timeout=_PATIENCE)
    if process.returncode:
        raise RuntimeError(errors)
    settings, clock = company.settings(folder / "everything"), Clock(random.Random(seed))
    lake = Lake(settings.lake)
    statements: Statements | None = None
    ready: datetime | None = None
    for number, _ in enumerate(tell(Lake(once.lake), lake, clock, runs)):
        ready = ready or clock.at
        if (number + 1) * looks // runs > number * looks // runs:
            rebuild(settings, now=clock)
            if statements:
                statements.run(settings.warehouse, clock.at)
            else:
                statements = Statements.of_build(settings.warehouse, folder / "target", clock.at)
            sync(_LOOKED_UP, settings, clock)
            statements.run(settings.warehouse, clock.at)
            sync(BREAK_SIGHTINGS, settings, clock)
    assert statements
    assert ready
    rebuild(settings, now=clock)
    batches = [lake.batch(path) for stream in (*STREAMS, *EVIDENCE) for path in lake.paths(stream)]
    return History(settings, statements, tuple(sorted(batches, key=lambda batch: batch.manifest.finished_at)), ready)


def _told(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.as_of", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--by-dbt", type=int, default=3, help="how many of them are built by dbt itself")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tieout-as-of-") as name:
        folder = Path(name)
        with hostile_company(folder / "company", arguments.seed) as company:
            history = history_of(company, folder, arguments.seed, runs=24, looks=6)
        told, differing = time.monotonic(), 0
        for number, moment in enumerate(history.moments(arguments.moments, random.Random(arguments.seed))):
            found = history.differences(history.build(moment, folder / "known", by_dbt=number < arguments.by_dbt))
            shutil.rmtree(folder / "known")
            differing += bool(found)
            for table, rows in found.items():
                sys.stderr.write(
                    f"As of {_told(moment)} {table} has {rows} other rows than from what was known by then.\n"
                )
    for model in history.statements.of_the_clock:
        sys.stderr.write(f"{model} asks the clock: take as_of() instead.\n")
    sys.stdout.write(
        f"as-of-test: {arguments.moments} moments over {len(history.batches)} batches, {differing} differ (target 0), "
        f"{len(history.statements.of_the_clock)} models ask the clock (target 0), {told - began:.0f} s for the history and "
        f"{(time.monotonic() - told) / arguments.moments:.1f} s a moment, seed {arguments.seed}\n"
    )
    return 1 if differing or history.statements.of_the_clock else 0


if __name__ == "__main__":
    sys.exit(main())
