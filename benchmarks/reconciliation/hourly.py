"""The hourly build after new usage events, against the same with a tenth of the history: cost follows what is new.

Two companies of the same size and business, one with ten times the months of the other, landed by the real sync. As many new
events come to each: a thousandth of the long history, one in a hundred of them late by up to 40 days. What the job then
builds must equal a full build row by row, in every mart and comparison.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import psycopg

from benchmarks.equality import unequal_tables
from benchmarks.measure import Run, Target, report
from benchmarks.warehouse import build, land
from ingestion.settings import read_settings
from ingestion.streams import stream_named
from ingestion.sync import sync
from sandbox.generate import generate
from sandbox.serve import serve

_TIMES = 10

_NEWS = """
insert into usage_events
select
    md5('news ' || i),
    customer_id,
    event_name,
    model,
    input_tokens,
    output_tokens,
    megapixels,
    video_seconds,
    gpu_seconds,
    newest_at - case when i %% 100 = 0 then i * 7919 %% (40 * 86400) else i %% 3600 end * interval '1 second',
    newest_at + i * interval '1 millisecond'
from (
    select *, row_number() over (order by event_id) as i, max(occurred_at) over () as newest_at
    from (select * from usage_events order by recorded_at desc limit %(rows)s) as like_these
) as numbered
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconciliation.hourly", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000, help="of the long history")
    parser.add_argument("--customers", type=int, default=80)
    parser.add_argument("--months", type=int, default=10, help="of the long history")
    arguments = parser.parse_args()
    news = arguments.events // 1000
    table: list[dict[str, str | float]] = []
    runs: list[Run] = []
    for part in (_TIMES, 1):
        with tempfile.TemporaryDirectory() as folder:
            events, months = arguments.events // part, max(1, arguments.months // part)
            dataset = Path(folder, "dataset")
            generate(dataset, customers=arguments.customers, months=months, events=events, defects="none")
            first, later = built(dataset, Path(folder), news)
        runs.append(later)
        for what, run, rows in (("first build", first, events), ("hourly build", later, news)):
            table.append(
                {
                    "what": f"{what}, {events:,} events in {months} months",
                    "new events": rows,
                    "s": run.seconds,
                    "statements s": sum(run.counted.values()),
                    "of usage s": sum(seconds for model, seconds in run.counted.items() if "usage" in model),
                    "processor s": run.cpu_seconds,
                    "peak MB": run.peak_bytes / 1e6,
                }
            )
    short, long = runs
    return report(
        "hourly",
        "One round; statements are the models' own seconds, those of usage and what is made of it apart",
        table,
        [Target(f"the time with 1/{_TIMES} of the history", long.seconds / short.seconds, "x", at_most=1.2)],
    )


def built(dataset: Path, folder: Path, news: int) -> tuple[Run, Run]:
    """The first build and the build after the news of one company. AssertionError when that is not what a full build makes."""
    as_the_job = ("--exclude-resource-type", "unit_test")
    with serve(dataset, folder / "servers") as company:
        settings = read_settings({**company.environment(), "TIEOUT_HOME": str(folder / "home")})
        land(dataset, settings)
        first = build(settings.warehouse, folder / "dbt", *as_the_job)
        with psycopg.connect(company.app_database_url, autocommit=True) as connection:
            connection.execute(_NEWS, {"rows": news})
        landed = sync(stream_named("app.usage_events"), settings)
        assert landed.rows == news, f"{landed.rows} new rows landed"
    later = build(settings.warehouse, folder / "dbt", *as_the_job)
    built_on = Path(shutil.copy(settings.warehouse, folder / "built_on.duckdb"))
    build(settings.warehouse, folder / "dbt", "--exclude-resource-type", "unit_test", "test", "--full-refresh")
    # It moves with the clock.
    unequal = unequal_tables(built_on, settings.warehouse, without="certified_through")
    assert not unequal, f"not what a full build makes: {unequal}"
    return first, later


if __name__ == "__main__":
    sys.exit(main())
