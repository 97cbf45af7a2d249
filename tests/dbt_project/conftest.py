"""One parse of the project for all workers, and one staging run for a whole session, on a DuckDB file of its own."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from dbt.cli.main import dbtRunner

from ingestion.payload import ENVELOPE, SCHEMAS, Row, envelope
from ingestion.streams import EVIDENCE, STREAMS, Stream
from tests.dbt_project.raw_objects import LANDING, OBJECTS, TYPED, Landed

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Dbt:
    """The project, parsed once. `events` are the names of what the parse had to say.

    A warehouse is a file called tieout.duckdb: DuckDB names a database after its file, and the manifest has that name.
    """

    target: Path
    manifest: Any
    events: frozenset[str]

    def invoke(self, *arguments: str, warehouse: Path) -> Any:
        """A `dbtRunnerResult`: success, exception and the command's own result."""
        with _environment(warehouse):
            return dbtRunner(manifest=self.manifest).invoke([*arguments, *_where(self.target)])

    def failed(self, *tests: str, warehouse: Path) -> set[str]:
        """Which of these singular tests fail."""
        tested = self.invoke("test", "--select", *tests, warehouse=warehouse)
        said = [result.message for result in tested.result]
        assert {result.status for result in tested.result} <= {"pass", "fail"}, said
        assert len(tested.result) == len(tests), said
        return {result.node.name for result in tested.result if result.status == "fail"}


@contextmanager
def _environment(warehouse: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TIEOUT_WAREHOUSE", str(warehouse))
        environment.setenv("DO_NOT_TRACK", "1")
        yield


def _where(target: Path) -> list[str]:
    paths = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--target-path", str(target)]
    return [*paths, "--log-path", str(target / "logs"), "--quiet", "--target", "duckdb"]


@pytest.fixture(scope="session")
def dbt(once: Callable[[str], AbstractContextManager[Path]], tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The first worker parses all there is; the others take up its partial parse, and what it had to say."""
    events: set[str] = set()
    with once("parsed") as target, _environment(target / "tieout.duckdb"):
        parse = ["parse", "--show-all-deprecations", *_where(target)]
        parsed = dbtRunner(callbacks=[lambda event: events.add(event.info.name)]).invoke(parse)
        assert parsed.success, parsed.exception
        said = target / "events.txt"
        if not said.exists():
            said.write_text("\n".join(events))
    return Dbt(tmp_path_factory.mktemp("dbt"), parsed.result, frozenset(said.read_text().splitlines()))


@pytest.fixture(scope="session")
def staged(dbt: Dbt) -> Path:
    """A warehouse with every stream's objects in raw, and staging built from them."""
    warehouse = dbt.target / "tieout.duckdb"
    land(warehouse, OBJECTS)
    built = dbt.invoke(
        "build",
        "--select",
        "staging",
        "currencies",
        "int_usage__app_events",
        "int_usage__landings",
        "--exclude-resource-type",
        "test",
        warehouse=warehouse,
    )
    assert built.success, built.exception or [result.message for result in built.result if result.status == "error"]
    return warehouse


@pytest.fixture
def tied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A warehouse made by the module's `TIED`, for its plants to break."""
    path = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(request.module.TIED)
    return path


def copy_of(warehouse: Path, folder: Path) -> Path:
    """A copy to break: with what DuckDB still had in its log."""
    rows_of(warehouse, "force checkpoint")
    return Path(shutil.copy(warehouse, folder / warehouse.name))


def land(warehouse: Path, objects: Mapping[tuple[str, str], Sequence[Landed]]) -> None:
    """Raw as the ingestion lands it, without the lake: envelope and digits by its own code."""
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for stream in (*STREAMS, *EVIDENCE):
            schema, table = stream.asset_key
            connection.execute(f"create schema if not exists {schema}")
            if stream in SCHEMAS:
                rows = pa.schema([*SCHEMAS[stream], *LANDING]).empty_table()
            elif stream.is_typed:
                rows = TYPED[stream.name]
            else:
                rows = _enveloped(stream, objects.get((stream.source, stream.name), ()))
            connection.register("landed", rows)
            connection.execute(f"create table {schema}.{table} as from landed")
            connection.unregister("landed")


def _enveloped(stream: Stream, objects: Sequence[Landed]) -> pa.Table:
    tables = [
        envelope(
            stream,
            [Row(found.object_id, found.document.encode(), found.origin, found.parent_id, None, found.is_deleted)],
        )[0]
        .append_column("batch_id", pa.array([found.batch_id]))
        .append_column("read_at", pa.array([found.read_at], pa.timestamp("us", tz="UTC")))
        for found in objects
    ]
    return pa.concat_tables([pa.schema([*ENVELOPE, *LANDING]).empty_table(), *tables])


def rows_of(warehouse: Path, query: str, *parameters: object) -> list[dict[str, Any]]:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(query, list(parameters))
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
