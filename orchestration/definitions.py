"""The one code location: what `dagster dev`, the daemon and `tieout run` all load."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg

from ingestion.settings import read_settings


@dg.definitions
def defs() -> dg.Definitions:
    """All of `orchestration/defs`. Needs no network and no credential; parses the dbt project when it has changed."""
    settings = read_settings()
    # dbt reads these in profiles.yml, from its own working directory: a relative path would name another file there.
    os.environ.update(
        TIEOUT_HOME=str(settings.home), TIEOUT_WAREHOUSE=str(settings.warehouse), TIEOUT_LAKE=str(settings.lake)
    )
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
