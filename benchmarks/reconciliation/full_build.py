"""The full build of all marts and comparisons, against a query by hand for each mart over the same raw tables.

A company is landed by the real sync. What counts of ours is the time of all statements that dbt sends for its models, staging and
comparisons too, one model at a time, so that none waits for another. The peer is `by_hand/`: a query for each mart, the journal
and the trial balance, which reads raw tables only and must make the same rows, run one after the other in one process. They share
the macros of `prelude.sql` and no table. They are for this company: what it never has they leave out (a write-off, a refund that
comes back, a period that is no month, a second publisher of rates, a close), and none makes a comparison or `certified_through`.
Both write tables to a DuckDB file, with as many threads and as much memory as DuckDB takes by itself. A second build of ours is
the production job's: two models at a time, and all tests. Its peak memory is the one that counts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import duckdb

from benchmarks.equality import unequal_tables
from benchmarks.measure import Target, contestant, report
from benchmarks.warehouse import build, land
from ingestion.settings import read_settings
from sandbox.generate import generate
from sandbox.serve import serve

BY_HAND = Path(__file__).with_name("by_hand")

# Their rows come with a close, or from the comparisons.
_NOT_BY_HAND = (
    "fct_close_checks",
    "fct_close_figures",
    "fct_close_ledger",
    "fct_closes",
    "fct_restatement_causes",
    "fct_restatements",
)

_PEER = """
import json, sys, time
from pathlib import Path
import duckdb

warehouse, folder = sys.argv[1:]
seconds = dict()
with duckdb.connect(warehouse) as connection:
    connection.execute("set TimeZone = 'UTC'; create schema marts; create schema close")
    connection.execute(Path(folder, "prelude.sql").read_text())
    for path in sorted(Path(folder).glob("*/*.sql")):
        started = time.monotonic()
        connection.execute(f"create table {path.parent.name}.{path.stem} as {path.read_text()}")
        seconds[path.stem] = time.monotonic() - started
print(json.dumps(dict(seconds=sum(seconds.values()), **seconds)))
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reconciliation.full_build", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--customers", type=int, default=80)
    parser.add_argument("--months", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        generate(
            folder / "dataset",
            customers=arguments.customers,
            months=arguments.months,
            events=arguments.events,
            defects="none",
        )
        with serve(folder / "dataset", folder / "servers") as company:
            settings = read_settings({**company.environment(), "TIEOUT_HOME": str(folder / "home")})
            land(folder / "dataset", settings)
        shutil.rmtree(folder / "dataset")
        return measured(settings.warehouse, arguments.events, folder)


def measured(landed: Path, events: int, folder: Path) -> int:
    """Over a warehouse that has raw tables only. AssertionError when a mart has no query by hand, or makes other rows."""
    alone, built, by_hand = (
        Path(shutil.copy(landed, folder / f"{name}.duckdb")) for name in ("alone", "built", "by_hand")
    )
    peer = contestant(sys.executable, "-c", _PEER, by_hand, BY_HAND)
    ours = build(alone, folder / "dbt", "--exclude-resource-type", "test", "unit_test", "--threads", "1")
    job = build(built, folder / "dbt", "--exclude-resource-type", "unit_test")
    with duckdb.connect(str(built)) as connection:
        connection.execute("; ".join(f"drop table close.{table}" for table in _NOT_BY_HAND))
    unequal = unequal_tables(built, by_hand, schemas=("marts", "close"), without="certified_through")
    assert not unequal, f"not what the queries by hand make: {unequal}"
    statements = sum(ours.counted.values())
    usage = {model for model in ours.counted if model.startswith("int_usage")}
    reading_events = {path.stem for path in BY_HAND.glob("*/*.sql") if "usage_by_" in path.read_text()}
    table: list[dict[str, str | float]] = [
        {
            "what": what,
            "events": events,
            "statements s": sum(seconds for name, seconds in run.counted.items() if name != "seconds"),
            "of events s": sum(run.counted[name] for name in of_events),
            "wall s": run.seconds,
            "processor s": run.cpu_seconds,
            "peak MB": run.peak_bytes / 1e6,
        }
        for what, run, of_events in (
            ("models, one at a time", ours, usage),
            ("dbt build as the job runs it, tests too", job, usage),
            ("a query by hand for each mart", peer, reading_events),
        )
    ]
    return report(
        "full_build",
        "One round",
        table,
        [
            Target("the time of the queries by hand", statements / peer.seconds, "x", at_most=1.7),
            Target("peak memory", job.peak_bytes / 1e9, "GB", at_most=6),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
