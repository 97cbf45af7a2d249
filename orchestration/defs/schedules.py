"""The one job, and when it runs."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.transformation import FULL_REFRESH

JOB = "tieout"


@dg.definitions
def defs() -> dg.Definitions:
    """Ingest, build, check: everything there is, each hour, and rebuilt from raw each night.

    One job rather than a condition per asset: the numbers of a run then come from one reading of the sources.
    """
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(include_sources=False) | dg.AssetSelection.all_asset_checks(),
        description="Read the sources, build and test the models, check what readers may rely on.",
    )
    return dg.Definitions(
        jobs=[job],
        schedules=[
            dg.ScheduleDefinition(
                name="hourly",
                job=job,
                cron_schedule="0 * * * *",
                execution_timezone="UTC",
                description="What is new since the last run.",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
            dg.ScheduleDefinition(
                name="nightly",
                job=job,
                cron_schedule="30 2 * * *",
                execution_timezone="UTC",
                tags={FULL_REFRESH: "true"},
                description="The same, with every incremental model built again from raw.",
                default_status=dg.DefaultScheduleStatus.RUNNING,
            ),
        ],
    )
