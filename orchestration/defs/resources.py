"""What steps are given: the dbt command line. Sources and warehouse come from `ingestion.settings` when a step runs."""

from __future__ import annotations

import dagster as dg

from orchestration.dbt import dbt_command


@dg.definitions
def defs() -> dg.Definitions:
    """DuckDB has one writer, so steps run one after the other in the run's own process."""
    return dg.Definitions(resources={"dbt": dbt_command()}, executor=dg.in_process_executor)
