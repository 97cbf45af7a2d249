from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("ingestion", "expectations", "orchestration", "reporting", "sandbox")


def lint_imports(tree: Path) -> dict[str, bool]:
    """Contract name → kept, from import-linter on the rooms in `tree`."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--config",
        str(ROOT / ".importlinter"),
        "--no-cache",
    ]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    verdicts = [line.rsplit(" (", 1)[0].rsplit(" ", 1) for line in run.stdout.splitlines()]
    found = {line[0]: line[1] == "KEPT" for line in verdicts if line[-1] in ("KEPT", "BROKEN")}
    assert (run.returncode == 0) == all(found.values()), run.stdout + run.stderr
    return found


def test_every_room_knows_only_what_it_may() -> None:
    assert set(lint_imports(ROOT).values()) == {True}


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("ingestion/planted.py", "import dagster", "Ingestion runs alone"),
        ("ingestion/planted.py", "from dbt.cli.main import dbtRunner", "Ingestion runs alone"),
        ("ingestion/planted.py", "from orchestration import job", "Ingestion runs alone"),
        ("orchestration/planted.py", "import duckdb", "Orchestration says when"),
        ("orchestration/planted.py", "import httpx", "Orchestration says when"),
        ("orchestration/planted.py", "from google.cloud import bigquery", "Orchestration says when"),
        ("expectations/planted.py", "from ingestion import lake", "Expectations read marts"),
        ("reporting/planted.py", "from ingestion.sources import stripe", "Reporting reads marts"),
        ("reporting/planted.py", "import orchestration.job", "Reporting reads marts"),
        ("orchestration/planted.py", "from sandbox.generate import generate", "The pretend company is for tests"),
        ("ingestion/planted.py", "import sandbox.serve", "The pretend company is for tests"),
        ("sandbox/planted.py", "from ingestion.settings import read_settings", "The pretend company knows nothing"),
        ("reporting/planted.py", "from tests import miniature", "No room knows the tests"),
    ],
)
def test_a_planted_violation_breaks_its_contract(module: str, statement: str, contract: str, tmp_path: Path) -> None:
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / module).write_text(f"{statement}\n")
    broken = [name for name, kept in lint_imports(tmp_path).items() if not kept]
    assert any(name.startswith(contract) for name in broken), broken
