"""A sync with nothing new, all streams: what it costs beyond the sources' own answers, and whether that follows what has landed.

Two companies of the same size and business, one with ten times the history of the other, each behind relays that measure how long
its systems take to answer. What is left of a sync's time is ours. Certificates count again what the sources have: apart.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.ingestion.answers import Answers, relayed
from benchmarks.measure import Target, report
from ingestion.certificate import certify, land_certificates
from ingestion.settings import Settings, read_settings
from ingestion.streams import STREAMS
from ingestion.sync import SyncResult, sync
from sandbox.generate import generate
from sandbox.serve import Company, serve

_TIMES = 10


@dataclass(frozen=True)
class _Round:
    """Wall seconds of a step over all streams, how many of them its sources took to answer, and processor seconds of ours."""

    seconds: float
    answers: float
    processor: float

    @property
    def own(self) -> float:
        return self.seconds - self.answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=40)
    parser.add_argument(
        "--months", type=int, default=2, help=f"of the short history; the long one has {_TIMES} times as many"
    )
    parser.add_argument(
        "--events", type=int, default=30_000, help=f"of the short history; the long one has {_TIMES} times as many"
    )
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    table: list[dict[str, str | float]] = []
    own: list[float] = []
    for times in (1, _TIMES):
        with tempfile.TemporaryDirectory() as folder:
            dataset = Path(folder, "dataset")
            months, events = arguments.months * times, arguments.events * times
            generate(dataset, customers=arguments.customers, months=months, events=events, defects="none")
            rows, syncs, certificates = _measured(dataset, Path(folder), arguments.rounds)
        for what, rounds in (("sync", syncs), ("certificates", certificates)):
            middle = sorted(rounds, key=lambda each: each.own)[len(rounds) // 2]
            table.append(
                {
                    "what": f"{what}, {months} months",
                    "rows landed before": rows,
                    "s": middle.seconds,
                    "sources' answers s": middle.answers,
                    "own s": middle.own,
                    "own processor s": middle.processor,
                }
            )
        own.append(statistics.median(each.own for each in syncs))
    return report(
        "idle",
        f"Medians of {arguments.rounds} rounds, {len(STREAMS)} streams, nothing new",
        table,
        [
            Target("beyond the sources' answers", own[1], "s", at_most=5),
            Target(f"that with {_TIMES} x the history", own[1] / own[0], "x", at_most=1.2),
        ],
    )


def _measured(dataset: Path, folder: Path, rounds: int) -> tuple[int, list[_Round], list[_Round]]:
    """Rows of the first sync, and the rounds after it: of syncs, and of certificates."""
    with serve(dataset, folder / "servers") as company, _relayed(company) as (environment, answers):
        settings = read_settings({**environment, "TIEOUT_HOME": str(folder / "home")})
        now = _clock(dataset)
        rows, _, _ = _round(settings, answers, now)
        syncs, certificates = [], []
        for _ in range(rounds):
            news, synced, certified = _round(settings, answers, now)
            assert not news, f"{news} rows landed in a sync with nothing new"
            syncs.append(synced)
            certificates.append(certified)
    return rows, syncs, certificates


def _round(settings: Settings, answers: Answers, now: Callable[[], datetime]) -> tuple[int, _Round, _Round]:
    results: list[SyncResult] = []
    synced = _timed(answers, lambda: results.extend(sync(stream, settings, now) for stream in STREAMS))

    def certify_all() -> None:
        for result in results:
            certificate = certify(result, settings, now)
            assert certificate.is_complete, certificate
        land_certificates(settings, now)

    return sum(result.rows for result in results), synced, _timed(answers, certify_all)


def _timed(answers: Answers, step: Callable[[], None]) -> _Round:
    started, processor = time.monotonic(), time.process_time()
    step()
    return _Round(time.monotonic() - started, answers.seconds_since(started), time.process_time() - processor)


def _clock(dataset: Path) -> Callable[[], datetime]:
    """A clock that stood at the dataset's `now` a moment ago."""
    ahead = datetime.fromisoformat(json.loads((dataset / "dataset.json").read_text())["now"]) - datetime.now(UTC)
    return lambda: datetime.now(UTC) + ahead


@contextmanager
def _relayed(company: Company) -> Iterator[tuple[dict[str, str], Answers]]:
    """The company's environment with a relay before each of its systems."""
    environment = company.environment()
    database = psycopg.conninfo.conninfo_to_dict(company.app_database_url)
    host, port = str(database["host"]), int(database.get("port") or 5432)
    urls = {name: urlsplit(environment[name]) for name in ("STRIPE_API_BASE", "ORB_API_BASE")}
    apis = [(url.hostname or "", url.port or 0) for url in urls.values()]
    with relayed(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port), *apis) as answers:
        app, *ports = answers.ports
        environment["APP_DATABASE_URL"] = psycopg.conninfo.make_conninfo(
            company.app_database_url, host="127.0.0.1", port=app
        )
        for (name, url), own in zip(urls.items(), ports, strict=True):
            environment[name] = url._replace(netloc=f"127.0.0.1:{own}").geturl()
        yield environment, answers


if __name__ == "__main__":
    sys.exit(main())
