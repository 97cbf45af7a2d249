"""The hourly build after new usage events, against the same with a tenth of the history: cost follows what is new.

Two companies of the same size and business, one with ten times the months of the other, landed by the real sync. As many new
events come to each: a thousandth of the long history, one in a hundred of them late by up to 40 days. What the job then
builds must equal a full build row by row, in every mart and comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import psycopg

from benchmarks.equality import unequal_tables
from benchmarks.measure import Run, Target, contestant, report
from ingestion.certificate import certify, land_certificates
from ingestion.settings import Settings, read_settings
from ingestion.streams import STREAMS, stream_named
from ingestion.sync import sync
from sandbox.generate import generate
from sandbox.serve import serve

ROOT = Path(__file__).parents[2]
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
            first, later = _built(dataset, Path(folder), news)
        runs.append(later)
        for what, run, rows in (("first build", first, events), ("hourly build", later, news)):
            table.append(
                {
                    "what": f"{what}, {events:,} events in {months} months",
                    "new events": rows,
                    "s": run.seconds,
                    "statements s": run.counted["statements"],
                    "of usage s": run.counted["usage"],
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


def _built(dataset: Path, folder: Path, news: int) -> tuple[Run, Run]:
    """The first build and the build after the news of one company. AssertionError when that is not what a full build makes."""
    with serve(dataset, folder / "servers") as company:
        settings = read_settings({**company.environment(), "TIEOUT_HOME": str(folder / "home")})
        # A history was read long ago: what was read lately is tested again each hour.
        then = datetime.fromisoformat(json.loads((dataset / "dataset.json").read_text())["now"])
        for stream in STREAMS:
            certify(sync(stream, settings, lambda: then), settings, lambda: then)
        land_certificates(settings, lambda: then)
        first = _build(settings)
        with psycopg.connect(company.app_database_url, autocommit=True) as connection:
            connection.execute(_NEWS, {"rows": news})
        landed = sync(stream_named("app.usage_events"), settings)
        assert landed.rows == news, f"{landed.rows} new rows landed"
        later = _build(settings)
        built_on = Path(shutil.copy(settings.warehouse, folder / "built_on.duckdb"))
        _build(settings, "--full-refresh")
        # It moves with the clock.
        unequal = unequal_tables(built_on, settings.warehouse, without="certified_through")
        assert not unequal, f"not what a full build makes: {unequal}"
    return first, later


def _build(settings: Settings, *arguments: str) -> Run:
    """dbt as the production job runs it, with its models' own seconds: `statements`, and `usage` of them."""
    dbt, where = Path(sys.executable).with_name("dbt"), ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    target = settings.home / "dbt"
    environment: Mapping[str, str] = {
        "PATH": os.environ["PATH"],
        "TIEOUT_WAREHOUSE": str(settings.warehouse),
        "DO_NOT_TRACK": "1",
    }
    paths = [*where, "--target-path", str(target), "--log-path", str(target), "--quiet"]
    run = contestant(dbt, "build", "--exclude-resource-type", "unit_test", *arguments, *paths, environment=environment)
    results = json.loads((target / "run_results.json").read_text())["results"]
    seconds = {each["unique_id"]: each["execution_time"] for each in results if each["unique_id"].startswith("model.")}
    usage = [name for name in seconds if "usage" in name.rpartition(".")[2]]
    counted = {"statements": sum(seconds.values()), "usage": sum(seconds[name] for name in usage)}
    return Run(run.seconds, run.cpu_seconds, run.peak_bytes, counted)


if __name__ == "__main__":
    sys.exit(main())
