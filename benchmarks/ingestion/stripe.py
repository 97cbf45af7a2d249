"""Stripe's charges to the lake and the raw table, every id once, against what else reads Stripe and against Stripe's limits.

From a server that never limits, the official client's `auto_paging_iter`, dlt's REST client to DuckDB and tap-stripe read in
turn, each in a process of its own; they are slow, so they read fewer. From one that answers after 200 ms and allows what Stripe
allows, one list is read, and four at once, each into a home of its own, as a warehouse has one writer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from benchmarks.measure import Run, Target, contestant, middle, peers, report

_ENDPOINT, _ACCOUNT, _PAGE = 25, 100, 100
_LIMITED = ("--latency", "0.2", "--endpoint-limit", str(_ENDPOINT), "--account-limit", str(_ACCOUNT))
_FOUR = ("charges", "payment_intents", "refunds", "disputes")

_OURS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from os import environ
from ingestion.settings import read_settings
from ingestion.streams import stream_named
from ingestion.sync import sync

def synced(name):
    return sync(stream_named(f"stripe.{name}"), read_settings({**environ, "TIEOUT_HOME": f"{sys.argv[1]}/{name}"})).rows

names = sys.argv[2:]
started = time.monotonic()
with ThreadPoolExecutor(len(names)) as pool:
    rows = sum(pool.map(synced, names))
print(json.dumps({"seconds": time.monotonic() - started, "rows": rows}))
"""

_AUTO_PAGING_ITER = """
import json, sys, time
import stripe

client = stripe.StripeClient("sk_test_x", base_addresses={"api": sys.argv[1]})
started = time.monotonic()
ids = {charge.id for charge in client.v1.charges.list({"limit": 100}).auto_paging_iter()}
print(json.dumps({"seconds": time.monotonic() - started, "rows": len(ids)}))
"""

_DLT = """
import json, sys, time
import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

base, folder = sys.argv[1:]
client = RESTClient(base, paginator=JSONResponseCursorPaginator("data[-1].id", "starting_after", has_more_path="has_more"))
pipeline = dlt.pipeline(
    "stripe",
    destination=dlt.destinations.duckdb(f"{folder}/dlt.duckdb"),
    dataset_name="raw",
    pipelines_dir=f"{folder}/pipelines",
)
started = time.monotonic()
pipeline.run(client.paginate("/v1/charges", params={"limit": 100}, data_selector="data"), table_name="charges")
seconds = time.monotonic() - started
with pipeline.sql_client() as client:
    ((rows,),) = client.execute_sql("select count(distinct id) from charges")
print(json.dumps({"seconds": seconds, "rows": rows}))
"""

# It knows Stripe by its address only: the server is its proxy. Of what it says, records are counted.
_TAP = """
import json, os, sys, time
os.environ["HTTP_PROXY"] = sys.argv[1]
import stripe, tap_stripe

folder, said = sys.argv[2], sys.stdout
stripe.api_base = "http://api.stripe.com"

class Records:
    count = 0

    def write(self, text):
        self.count += text.startswith('{"type": "RECORD"')

    def flush(self):
        pass

catalog = tap_stripe.discover()
for entry in catalog["streams"]:
    if entry["tap_stream_id"] == "charges":
        next(each for each in entry["metadata"] if not each["breadcrumb"])["metadata"]["selected"] = True
with open(f"{folder}/catalog.json", "w") as file:
    json.dump(catalog, file)
with open(f"{folder}/config.json", "w") as file:
    json.dump({"start_date": "2020-01-01T00:00:00Z", "account_id": "acct_1", "client_secret": "sk_test_x"}, file)
sys.argv = ["tap-stripe", "--config", f"{folder}/config.json", "--catalog", f"{folder}/catalog.json"]
sys.stdout = Records()
started = time.monotonic()
tap_stripe.main()
print(json.dumps({"seconds": time.monotonic() - started, "rows": sys.stdout.count}), file=said)
"""


@contextmanager
def stripe_server(*options: str) -> Iterator[str]:
    """The address of a server of its own process."""
    command = [sys.executable, "-m", "benchmarks.ingestion.stripe_server", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def ours(base: str, homes: Path, *streams: str, allowed: int | None = None) -> Run:
    """The syncs of these streams at once, each into a home of its own."""
    environment = {
        "STRIPE_API_KEY": "sk_live_x",
        "STRIPE_API_BASE": base,
        "STRIPE_REQUESTS_PER_SECOND": str(allowed or ""),
    }
    run = contestant(sys.executable, "-c", _OURS, homes, *streams, environment=environment)
    landed = [_landed(homes / name / "tieout.duckdb", name) for name in streams]
    assert sum(rows for rows, _ in landed) == sum(ids for _, ids in landed) == run.counted["rows"], landed
    return run


def _landed(warehouse: Path, name: str) -> tuple[int, int]:
    """How many rows there are in the raw table, and how many objects."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        (found,) = connection.execute(f"select count(*), count(distinct object_id) from raw_stripe.{name}").fetchall()
    return found


def auto_paging_iter(base: str) -> Run:
    """The official client as its documentation uses it; what it reads it throws away."""
    return contestant(sys.executable, "-c", _AUTO_PAGING_ITER, base)


def dlt(base: str, folder: Path) -> Run:
    """dlt's REST client to DuckDB."""
    return contestant(peers(), "-c", _DLT, base, folder)


def tap_stripe(base: str, folder: Path) -> Run:
    """Singer's tap; what it says is counted and thrown away."""
    return contestant(peers(), "-c", _TAP, base, folder)


def refused(base: str) -> int:
    """How many requests the server has answered with 429."""
    with urllib.request.urlopen(f"{base}/answered") as answer:
        return int(json.load(answer)["answered"].get("429", 0))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingestion.stripe", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers-rows", type=int, default=20_000)
    parser.add_argument("--limited-rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    rows = {"whole": asked.rows, "tenth": asked.rows // 10, "peers": asked.peers_rows, "limited": asked.limited_rows}
    runs: dict[str, list[Run]] = defaultdict(list)
    refusals = 0
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            for name in ("whole", "tenth"):
                with stripe_server("--objects", str(rows[name])) as base:
                    runs[name].append(ours(base, scratch / name, "charges", allowed=1_000_000))
            with stripe_server("--objects", str(rows["peers"])) as base:
                runs["auto_paging_iter"].append(auto_paging_iter(base))
                runs["dlt"].append(dlt(base, scratch))
                runs["tap"].append(tap_stripe(base, scratch))
            for name, streams in (("one", _FOUR[:1]), ("four", _FOUR)):
                with stripe_server("--objects", str(rows["limited"]), *_LIMITED) as base:
                    runs[name].append(ours(base, scratch / name, *streams))
                    refusals += refused(base)
    table = [_row(what, runs[name]) for what, name in _WHAT.items()]
    rate = {name: float(row["objects/s"]) for row, name in zip(table, _WHAT.values(), strict=True)}
    peak = {name: middle(runs[name]).peak_bytes / 1e6 for name in ("whole", "tenth")}
    return report(
        "stripe",
        f"Medians of {asked.rounds} rounds; charges of 3 KB",
        table,
        [
            *(
                Target(f"the rate of {name}", rate["whole"] / rate[name], "x", at_least=12)
                for name in ("auto_paging_iter", "dlt", "tap")
            ),
            Target("without limits", rate["whole"], "objects/s", at_least=20_000),
            Target("at the peak", peak["whole"], "MB", at_most=400),
            Target("the memory of a tenth of the objects", peak["whole"] / peak["tenth"], "x", at_most=1.2),
            Target("the limit of an endpoint", rate["one"] / (_ENDPOINT * _PAGE), "x", at_least=0.95),
            Target("the limit of an account", rate["four"] / (_ACCOUNT * _PAGE), "x", at_least=0.95),
            Target("refused", refusals, "requests", at_most=0),
        ],
    )


_WHAT = {
    "Stripe to lake and raw": "whole",
    "Stripe to lake and raw, a tenth": "tenth",
    "auto_paging_iter, kept nowhere": "auto_paging_iter",
    "dlt, REST client, to DuckDB": "dlt",
    "tap-stripe, kept nowhere": "tap",
    "at Stripe's limits, one endpoint": "one",
    "at Stripe's limits, four endpoints": "four",
}


def _row(what: str, runs: Sequence[Run]) -> Mapping[str, str | float]:
    run = middle(runs)
    read = run.counted["rows"]
    return {
        "what": what,
        "objects": read,
        "s": run.seconds,
        "objects/s": read / run.seconds,
        "processor us an object": 1e6 * run.cpu_seconds / read,
        "peak MB": run.peak_bytes / 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())
