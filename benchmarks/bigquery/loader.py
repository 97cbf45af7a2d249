"""Usage events prepared and handed to BigQuery's client, against writing the same Parquet to disk.

BigQuery is one that takes everything at once and keeps nothing, so that what is measured is what this machine does: each file is
opened, checked against its table and for nulls, and sent by a load job of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.bigquery.sink import sunk
from benchmarks.ingestion.rebuild import fill
from benchmarks.measure import Run, Target, contestant, middle, report
from ingestion.lake import Lake
from ingestion.streams import stream_named

_USAGE = stream_named("app.usage_events")
_SCHEMA = [
    {"name": "event_id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "customer_id", "type": "STRING"},
    {"name": "event_name", "type": "STRING"},
    {"name": "model", "type": "STRING"},
    {"name": "input_tokens", "type": "INTEGER"},
    {"name": "output_tokens", "type": "INTEGER"},
    {"name": "megapixels", "type": "NUMERIC"},
    {"name": "occurred_at", "type": "TIMESTAMP", "mode": "REQUIRED"},
    {"name": "batch_id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "read_at", "type": "TIMESTAMP", "mode": "REQUIRED"},
]

_HAND_OVER = """
import json, time
from datetime import UTC, datetime
from ingestion.lake import Lake
from ingestion.settings import read_settings
from ingestion.streams import stream_named
from ingestion.warehouses.bigquery import BigQueryWarehouse

settings, usage = read_settings(), stream_named("app.usage_events")
lake = Lake(settings.lake)
started = time.monotonic()
with BigQueryWarehouse(settings.bigquery, lake) as warehouse:
    warehouse.load(map(lake.batch, lake.paths(usage)), lambda: datetime.now(UTC))
print(json.dumps(dict(seconds=time.monotonic() - started)))
"""

_WRITE = """
import json, sys, time
from pathlib import Path
import pyarrow.parquet as pq

seconds = 0.0
for number, file in enumerate(sorted(Path(sys.argv[1]).glob("*.parquet"))):
    table = pq.read_table(file)
    started = time.monotonic()
    pq.write_table(table, f"{sys.argv[2]}/{number}.parquet", compression="zstd")
    seconds += time.monotonic() - started
print(json.dumps(dict(seconds=seconds)))
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bigquery.loader", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    runs: dict[str, list[Run]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, sunk(_SCHEMA) as sink:
        lake = Lake(Path(folder, "lake"))
        fill(lake, arguments.rows)
        files = lake.paths(_USAGE)
        environment = {
            "DBT_TARGET": "bigquery",
            "BIGQUERY_PROJECT": "p",
            "BIGQUERY_METHOD": "oauth-secrets",
            "BIGQUERY_TOKEN": "none",
            "BIGQUERY_ENDPOINT": sink.url,
            "TIEOUT_LAKE": str(lake.root),
        }
        for _ in range(arguments.rounds):
            with tempfile.TemporaryDirectory(dir=folder) as home:
                own = {**environment, "TIEOUT_HOME": home}
                runs["handed"].append(contestant(sys.executable, "-c", _HAND_OVER, environment=own))
                runs["written"].append(contestant(sys.executable, "-c", _WRITE, lake.folder(_USAGE), home))
        assert sum(pq.read_metadata(file).num_rows for file in files) == arguments.rows, "rows are missing"
        assert sink.jobs == arguments.rounds * len(files), "a batch was not sent, or twice"
        assert sink.handed >= arguments.rounds * sum(Path(file).stat().st_size for file in files), "bytes are missing"
    handed, written = middle(runs["handed"]), middle(runs["written"])
    table = [
        {
            "what": what,
            "rows": arguments.rows,
            "s": run.seconds,
            "rows/s": arguments.rows / run.seconds,
            "processor s": run.cpu_seconds,
            "peak MB": run.peak_bytes / 1e6,
        }
        for what, run in (("lake to BigQuery's client", handed), ("pyarrow to disk", written))
    ]
    return report(
        "bigquery_loader",
        f"Medians of {arguments.rounds} rounds",
        table,
        [Target("the rate of writing the same Parquet", written.seconds / handed.seconds, "x", at_least=0.4)],
    )


if __name__ == "__main__":
    sys.exit(main())
