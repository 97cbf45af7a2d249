"""The one code location: what `dagster dev`, the daemon and `tieout run` all load."""

from __future__ import annotations

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    """All of `orchestration/defs`. Needs no network and no credential; parses the dbt project when it has changed."""
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
