"""The real thing, as a user runs it: the console script, in a process of its own, with a home of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from sandbox.generate import generate

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
BIN = Path(sys.executable).parent
INHERITED = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@dataclass(frozen=True)
class Run:
    """A dataset that went through the job, and what the job printed."""

    dataset: Path
    home: Path
    warehouse: Path
    output: str

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def again(self) -> Run:
        return demo(self.dataset, self.home)


def tieout(*arguments: str | Path, **environment: str | Path) -> subprocess.CompletedProcess[str]:
    """`tieout …` in a clean environment but for `environment`."""
    return subprocess.run(
        [BIN / "tieout", *arguments],
        env=INHERITED | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def demo(dataset: Path, home: Path) -> Run:
    warehouse = home / "demo.duckdb"
    done = tieout("demo", "--dataset", dataset, "--warehouse", warehouse, TIEOUT_HOME=home)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Run(dataset, home, warehouse, done.stdout)


def dbt_run(project: Path, warehouse: Path, select: str) -> None:
    """`dbt build` of the selected models of a project, without their tests, against a warehouse."""
    where = ["--project-dir", str(project), "--profiles-dir", str(project)]
    done = subprocess.run(
        [BIN / "dbt", "build", "--exclude-resource-type", "test", "unit_test", "--select", *select.split(), *where],
        env={"PATH": os.environ["PATH"], "HOME": str(project), "TIEOUT_WAREHOUSE": str(warehouse), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the dbt project, to be maimed or built aside."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(ROOT / name, copy / name)
    shutil.copytree(ROOT / "dbt_project", copy / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    return copy


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A small dataset of seed 7 with all defects or none, generated once a session."""
    made: dict[str, Path] = {}

    def world(defects: str) -> Path:
        if defects not in made:
            made[defects] = tmp_path_factory.mktemp(f"world-{defects}")
            generate(made[defects], seed=7, defects=defects, customers=24, months=3, events=12_000)
        return made[defects]

    return world
