from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestration.defs.transformation import failures
from tests.emulator.proxy import error
from tests.emulator.warehouse import Project

ROOT = Path(__file__).parents[2]
DENIED = "Access Denied: Dataset books:seeds: Permission bigquery.tables.create denied on dataset books:seeds"


def test_a_permission_that_dbt_lacks_is_named_in_the_sentence_of_the_run(
    bigquery_project: Project, tmp_path: Path
) -> None:
    bigquery_project.endpoint.befall = lambda asked, on: error(403, "accessDenied", DENIED) if asked.is_load else None
    done = subprocess.run(
        [
            Path(sys.executable).with_name("dbt"),
            *("--quiet", "seed", "--select", "currencies"),
            *("--project-dir", ROOT, "--profiles-dir", ROOT, "--target-path", tmp_path, "--log-path", tmp_path),
        ],
        env={**os.environ, **bigquery_project.environment},
        check=False,
    )
    assert done.returncode == 1
    (told,) = failures(tmp_path / "run_results.json")
    assert told.startswith("dbt seed currencies failed")
    assert DENIED in told
