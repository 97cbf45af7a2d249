"""dbt on a project that was changed, against a warehouse that the job built."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.worlds import BIN

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"


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
