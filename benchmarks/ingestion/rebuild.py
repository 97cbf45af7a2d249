"""The raw tables made again from the lake alone, against DuckDB's `create table as select * from read_parquet(…)`.

A raw table is a view over the lake's files, so the rows are read when somebody asks: the time of a first look at every value is
counted in both too. Each is a process of its own, and both must have seen the same rows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from benchmarks.measure import Run, Target, contestant, middle, report
from ingestion.lake import Lake
from ingestion.streams import stream_named

_ROWS_A_BATCH = 240_000

_EVENTS = """
select
    md5(i::varchar) as event_id,
    'acct_' || lpad((i % 80)::varchar, 4, '0') as customer_id,
    'text_generation' as event_name,
    'model-' || i % 7 as model,
    i * 7919 % 8000 as input_tokens,
    i * 104729 % 1000 as output_tokens,
    ((i * 7919 % 4000000) * 0.000001)::decimal(18, 6) as megapixels,
    timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second' as occurred_at
from range({first}, {last}) as numbered (i)
"""

_LOOK = "select count(*), bit_xor(hash(seen)) from {table} as seen"

_OURS = f"""
import json, time
import duckdb
from ingestion.settings import read_settings
from ingestion.sync import rebuild

settings = read_settings()
started = time.monotonic()
rebuild(settings)
rebuilt = time.monotonic()
with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
    rows, content = connection.execute({_LOOK.format(table="raw_app.usage_events")!r}).fetchone()
print(json.dumps(dict(seconds=rebuilt - started, look=time.monotonic() - rebuilt, rows=rows, content=content)))
"""

_DUCKDB = f"""
import json, sys, time
import duckdb

files, warehouse = sys.argv[1:]
started = time.monotonic()
with duckdb.connect(warehouse) as connection:
    connection.execute("create table usage_events as select * from read_parquet(?)", [files])
rebuilt = time.monotonic()
with duckdb.connect(warehouse, read_only=True) as connection:
    rows, content = connection.execute({_LOOK.format(table="usage_events")!r}).fetchone()
print(json.dumps(dict(seconds=rebuilt - started, look=time.monotonic() - rebuilt, rows=rows, content=content)))
"""


def fill(lake: Lake, rows: int) -> None:
    """Write usage events as a sync does, batch by batch."""
    finished_at = datetime(2026, 7, 1, tzinfo=UTC)
    for number, table in enumerate(_tables(rows), start=1):
        finished_at += timedelta(seconds=1)
        lake.write(
            stream_named("app.usage_events"),
            table,
            cursor_from=str(number - 1),
            cursor_to=str(number),
            api_version="postgresql",
            started_at=finished_at,
            finished_at=finished_at,
        )


def _tables(rows: int) -> Iterator[pa.Table]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for first in range(0, rows, _ROWS_A_BATCH):
            last = min(first + _ROWS_A_BATCH, rows)
            yield connection.sql(_EVENTS.format(first=first, last=last)).to_arrow_table()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion.rebuild", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    runs: dict[str, list[Run]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder, "lake"))
        fill(lake, arguments.rows)
        files = f"{lake.folder(stream_named('app.usage_events'))}/*.parquet"
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(dir=folder) as home:
                settings = {"TIEOUT_HOME": home, "TIEOUT_LAKE": str(lake.root)}
                runs["ours"].append(contestant(sys.executable, "-c", _OURS, environment=settings))
                runs["duckdb"].append(contestant(sys.executable, "-c", _DUCKDB, files, f"{home}/peer.duckdb"))
    ours, peer = middle(runs["ours"]), middle(runs["duckdb"])
    assert {run.counted["rows"] for each in runs.values() for run in each} == {arguments.rows}, "rows are missing"
    assert len({run.counted["content"] for each in runs.values() for run in each}) == 1, "the rows are not the same"
    table = [
        {
            "what": what,
            "rows": arguments.rows,
            "s": run.seconds,
            "first look s": run.counted["look"],
            "processor s": run.cpu_seconds,
            "peak MB": run.peak_bytes / 1e6,
        }
        for what, run in (("tieout rebuild", ours), ("create table as select * from read_parquet", peer))
    ]
    return report(
        "rebuild",
        f"Medians of {arguments.rounds} rounds",
        table,
        [
            Target("DuckDB's time", ours.seconds / peer.seconds, "x", at_most=1.5),
            Target(
                "with a first look at every value",
                (ours.seconds + ours.counted["look"]) / (peer.seconds + peer.counted["look"]),
                "x",
                at_most=1.5,
            ),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
