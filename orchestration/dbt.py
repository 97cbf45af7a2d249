"""The dbt project as Dagster runs it: parsed before it is imported, and without the calls that a run does not need."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._utils.interrupts import capture_interrupts
from dagster_dbt import DbtCliInvocation, DbtCliResource, DbtProject
from dagster_dbt.core.dbt_cli_event import DbtCliEventMessage
from packaging.version import Version

from ingestion.settings import read_settings

ROOT = Path(__file__).parents[1]


class Dbt(DbtCliResource):
    """dbt's command line. dagster-dbt asks `dbt --version` before each command, which imports dbt once more and looks
    for newer versions on the internet (7 s here, and a time-out where there is none), and opens an adapter to fetch
    row counts with, which we never do."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        return None


class DbtError(Exception):
    """dbt's own words, without the command line around them."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error).rpartition("Errors parsed from dbt logs:")[2].strip() or str(error))


def dbt_project() -> DbtProject:
    """The project with a manifest that is up to date. Raises DbtError when the project does not parse."""
    project = DbtProject(project_dir=ROOT, target_path=read_settings().home / "dbt")
    if _is_stale(project.manifest_path):
        parsed = dbt_command().cli(["parse"], target_path=project.target_path, raise_on_error=False).wait()
        if error := parsed.get_error():
            raise DbtError(error)
    return project


def dbt_command() -> Dbt:
    """The dbt of this environment, which need not be on the PATH."""
    settings = read_settings()
    # dbt reads these in profiles.yml, from its own working directory: a relative path would name another file there.
    os.environ.update(
        TIEOUT_HOME=str(settings.home), TIEOUT_WAREHOUSE=str(settings.warehouse), TIEOUT_LAKE=str(settings.lake)
    )
    return Dbt(project_dir=str(ROOT), dbt_executable=str(Path(sys.executable).parent / "dbt"))


@contextmanager
def at_work(
    dbt: Dbt, arguments: Sequence[str], **where: Any
) -> Iterator[tuple[DbtCliInvocation, Iterator[DbtCliEventMessage]]]:
    """A dbt command and its events, as they happen; dbt ends with whoever leaves before it.

    Raises DagsterExecutionInterruptedError where this process is interrupted or terminated.
    """
    # Held until dbt is started and there is someone to end it: an interrupt on the way would leave dbt writing on its own.
    with capture_interrupts():
        invocation = dbt.cli(arguments, raise_on_error=False, **where)
        events = invocation.stream_raw_events()
        try:
            with dg.raise_execution_interrupts():
                yield invocation, events
        finally:
            # Nobody else ends dbt where the interrupt arrives between two lines of its output.
            if invocation.process.poll() is None:
                invocation.process.terminate()
            # dagster-dbt's reader cannot be closed half-way: it is read to its end.
            for _ in events:
                pass


def _is_stale(manifest: Path) -> bool:
    return not manifest.exists() or max(_changes()) > manifest.stat().st_mtime


def _changes() -> Iterator[float]:
    """When each file that dbt parses last changed; folders too, since a deleted file only shows there."""
    yield from ((ROOT / name).stat().st_mtime for name in ("dbt_project.yml", "profiles.yml"))
    yield from (path.stat().st_mtime for path in (ROOT / "dbt_project").rglob("*"))
