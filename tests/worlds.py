"""Sandbox companies that go through the production job as a user runs it: the console script, in a process of its own, with a
home of its own. The one without defects goes through it once for all tests and workers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from sandbox.generate import generate

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


def small_company(folder: Path, defects: str, seed: int = 7) -> Path:
    """Its dataset, with all defects or none."""
    generate(folder / "dataset", seed=seed, defects=defects, customers=24, months=3, events=12_000)
    return folder / "dataset"


def demo(dataset: Path, home: Path) -> Run:
    """AssertionError: what the job said when it failed."""
    warehouse = home / "demo.duckdb"
    done = tieout("demo", "--dataset", dataset, "--warehouse", warehouse, TIEOUT_HOME=home)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return Run(dataset, home, warehouse, done.stdout)


@pytest.fixture(scope="session")
def clean_run(once: Callable[[str], AbstractContextManager[Path]]) -> Run:
    """The small company without defects. It is all tests': whoever changes something changes a copy."""
    with once("clean") as folder:
        said = folder / "said.txt"
        if not said.exists():
            said.write_text(demo(small_company(folder, "none"), folder / "home").output)
    return Run(folder / "dataset", folder / "home", folder / "home" / "demo.duckdb", said.read_text())
