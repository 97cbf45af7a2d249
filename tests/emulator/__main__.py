"""`make emulator`: the production job with BigQuery as its target, twice, against what DuckDB makes of the same lake.

Ends with one line; exits 1 when a row differs, a job failed or a statement was refused.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg
from google.api_core.exceptions import NotFound

from benchmarks.warehouse import dbt
from ingestion.settings import Settings, read_settings
from ingestion.streams import BREAK_SIGHTINGS
from ingestion.sync import rebuild
from sandbox.generate import generate
from sandbox.serve import serve
from tests.emulator.environment import NoEmulator, emulator
from tests.emulator.proxy import proxied
from tests.emulator.warehouse import Project
from tests.referee.comparison import Difference, compare
from tests.referee.evaluation import NAMED_ANEW
from tests.referee.googlesql import Table
from tests.referee.values import canonical_type
from tests.referee.world import CUSTOMERS, EVENTS, MONTHS, NEWS, SEED

_LONGEST = 400
_OF_ITS_OWN = {
    **NAMED_ANEW,
    "sighting": "the text of a break, rule_version in it; what else it says rec_matches has in columns",
}
"""Columns that are compared up to renaming, and why."""
_LAYERS = ("marts", "reconciliation", "close")


@dataclass(frozen=True)
class Compared:
    """Of one mart after one run: its rows, and what is not as in DuckDB."""

    mart: str
    rows: int
    difference: Difference | None


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tieout-emulator-") as name:
        folder = Path(name)
        _say("A small company with every defect is served, and the emulator behind the referee")
        generate(folder / "dataset", seed=SEED, customers=CUSTOMERS, months=MONTHS, events=EVENTS)
        try:
            with (
                emulator(folder) as upstream,
                proxied(upstream) as endpoint,
                serve(folder / "dataset", folder / "servers") as company,
            ):
                project = Project(endpoint, "tieout")
                target = {**company.environment(), **project.environment, "TIEOUT_HOME": str(folder / "bigquery")}
                settings, local = (
                    read_settings(target),
                    read_settings({**company.environment(), "TIEOUT_HOME": str(folder / "duckdb")}),
                )
                found: list[Compared] = []
                jobs = 0
                for number, build in enumerate(("first", "second")):
                    if number:
                        with psycopg.connect(company.app_database_url, autocommit=True) as connection:
                            connection.execute(NEWS)
                    _say(f"The production job, {build} run, on BigQuery")
                    before = set(settings.lake.glob("*/*/*.parquet"))
                    jobs += _run(target)
                    _say(f"DuckDB builds of the same lake, {build} time")
                    _copy(settings, local, before)
                    rebuild(local)
                    dbt(local.warehouse, folder / "dbt", "build", "--exclude-resource-type", "unit_test")
                    found += [_told(each) for each in _compared(project, local.warehouse)]
                loads, refused = len(set(endpoint.sent)), list(endpoint.refused)
        except NoEmulator as missing:
            _say(f"emulator: {missing}")
            return 1
    for said in dict.fromkeys(refused):
        _say(f"  refused: {said}")
    different = sum(each.difference is not None for each in found)
    _say(
        f"emulator: {jobs} of 2 runs of the production job succeeded (target 2), {loads} load jobs, none twice; {len(found)} "
        f"marts of two runs, {sum(each.rows for each in found):,} rows, {different} marts differ from DuckDB (target 0); "
        f"{len(refused)} statements refused by the referee (target 0); {time.monotonic() - began:.0f} s"
    )
    return 0 if jobs == 2 and found and not different and not refused else 1


def _run(environment: Mapping[str, str]) -> int:
    """`tieout run`, whose words are shown; 1 where it succeeded."""
    command = [str(Path(sys.executable).with_name("tieout")), "run"]
    return int(subprocess.run(command, env={**os.environ, **environment}, check=False).returncode == 0)


def _copy(settings: Settings, local: Settings, before: set[Path]) -> None:
    """What a run has landed, but for what it saw in its own build: that build did not read it."""
    register = settings.lake / BREAK_SIGHTINGS.source / BREAK_SIGHTINGS.name
    held = {path for path in settings.lake.glob("*/*/*.parquet") if path.parent == register and path not in before}
    for path in set(settings.lake.glob("*/*/*.parquet")) - held:
        to = local.lake / path.relative_to(settings.lake)
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists():
            shutil.copy(path, to)


def _compared(project: Project, warehouse: Path) -> Iterator[Compared]:
    with project.client as client, duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        listed = connection.execute(
            "select table_schema, table_name from information_schema.tables where list_contains(?, table_schema) order by all",
            [list(_LAYERS)],
        ).fetchall()
        for layer, mart in listed:
            try:
                schema = client.get_table(f"{project.name}.{layer}.{mart}").schema
            except NotFound:
                yield Compared(f"{layer}.{mart}", 0, Difference(("all",), 0, "has it", "has no such table"))
                continue
            columns = {field.name: canonical_type(field.field_type) for field in schema}
            names = ", ".join(f"`{name}`" for name in columns)
            there = Table(columns, project.rows(f"select {names} from `{project.name}`.`{layer}`.`{mart}`"))
            quoted = ", ".join(f'"{name}"' for name in columns)
            here = Table(columns, connection.execute(f"select {quoted} from {layer}.{mart}").fetchall())
            anew: Sequence[str] = [name for name in _OF_ITS_OWN if name in columns]
            yield Compared(f"{layer}.{mart}", len(there.rows), compare(here, there, anew))


def _told(compared: Compared) -> Compared:
    _say(f"  {compared.mart}, {compared.rows} rows: {compared.difference or 'same'}"[:_LONGEST])
    return compared


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
