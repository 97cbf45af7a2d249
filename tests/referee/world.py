"""The small company whose rows are evaluated: as few objects as have every defect of the catalogue, landed by the real sync and
built by the real dbt on DuckDB, first and once more after new usage."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg

from benchmarks.warehouse import dbt, land
from ingestion.settings import read_settings
from ingestion.streams import stream_named
from ingestion.sync import sync
from sandbox.generate import generate
from sandbox.serve import serve
from tests.referee.compiled import moment_of
from tests.referee.googlesql import Columns, Table

# The smallest found that holds every defect: fewer customers or events leave no invoice, refund or day for one of them.
SEED, CUSTOMERS, MONTHS, EVENTS = 4, 22, 3, 3_000

# As many again of the last day, a few of them late by up to 40 days.
NEWS = """
insert into usage_events
select md5('news ' || i), customer_id, event_name, model, input_tokens, output_tokens, megapixels, video_seconds, gpu_seconds,
    newest_at - case when i % 10 = 0 then i * 7919 % (40 * 86400) else i % 3600 end * interval '1 second',
    newest_at + i * interval '1 millisecond'
from (
    select *, row_number() over (order by event_id) as i, max(occurred_at) over () as newest_at
    from (select * from usage_events order by recorded_at desc limit 100) as like_these
) as numbered
"""


@dataclass(frozen=True)
class Build:
    """A DuckDB file with raw and everything that dbt built of it, and the "now" of that build."""

    warehouse: Path
    moment: str

    def rows(self, relation: str, columns: Columns) -> Table:
        """A relation's rows; `columns` say what their types are in BigQuery."""
        _, dataset, table = relation.split(".")
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            names = ", ".join(f'"{name}"' for name in columns)
            return Table(columns, connection.execute(f"select {names} from {dataset}.{table}").fetchall())

    def columns(self, relation: str) -> list[str]:
        _, dataset, table = relation.split(".")
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            return [name for name, *_ in connection.execute(f"describe {dataset}.{table}").fetchall()]


@dataclass(frozen=True)
class World:
    """The same company's two builds."""

    first: Build
    later: Build


def build_world(folder: Path) -> World:
    """SandboxError, SourceError or ContestantFailed, as what failed says it."""
    generate(folder / "dataset", seed=SEED, customers=CUSTOMERS, months=MONTHS, events=EVENTS)
    with serve(folder / "dataset", folder / "servers") as company:
        settings = read_settings({**company.environment(), "TIEOUT_HOME": str(folder / "home")})
        land(folder / "dataset", settings)
        first = _built(settings.warehouse, folder / "first")
        with psycopg.connect(company.app_database_url, autocommit=True) as connection:
            connection.execute(NEWS)
        sync(stream_named("app.usage_events"), settings)
        return World(first, _built(settings.warehouse, folder / "later"))


def _built(warehouse: Path, folder: Path) -> Build:
    """What is built, copied out of the way of the next build. A copy has the database's name, which views carry."""
    dbt(warehouse, folder / "dbt", "build", "--exclude-resource-type", "test", "unit_test")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("force checkpoint")
    return Build(Path(shutil.copy(warehouse, folder / warehouse.name)), moment_of(folder / "dbt"))
