"""Reads the company through bad weather and compares once it has cleared: `python -m tests.hostile.weather --seed 7`.

In each kind of weather, and in all of them together, the real sync reads everything for the first time and then what has changed.
It may give up, in a sentence; it may not land what never was. One more run after it has to make raw equal to the source.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ingestion.streams import Stream
from tests.hostile.company import READ, Company, hostile_company
from tests.hostile.comparison import compare
from tests.hostile.faults import FAULTS, Fault
from tests.hostile.proxy import Weather, proxied
from tests.hostile.run import started

_PATIENCE = 3600.0
_REMEDY = re.compile(r"\b(run again|check [A-Z_]+|sync the stream again|see raw_quarantine)", re.IGNORECASE)


@dataclass(frozen=True)
class Report:
    """How many answers each fault changed, and in sentences what was wrong in the end or along the way."""

    faults: Counter[str]
    wrong: tuple[str, ...]


def weather(
    company: Company,
    home: Path,
    faults: Sequence[Fault],
    seed: int,
    *,
    streams: Sequence[Stream] = READ,
    probability: float = 0.15,
) -> Report:
    """Two storms over one home: while everything is read for the first time, and while what has changed is read."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    for storm in ("first", "second"):
        above = Weather(faults, probability, seed)
        with proxied(company, above, seed) as environment, started(environment, home, *map(str, streams)) as process:
            said, errors = process.communicate(timeout=_PATIENCE)
        seen += above.seen
        wrong += [f"In the {storm} storm {sentence}" for sentence in _unspoken(said, errors, streams)]
        company.settle()
        with started(company.environment, home, *map(str, streams)) as process:
            _, errors = process.communicate(timeout=_PATIENCE)
        if process.returncode:
            wrong.append(f"After the {storm} storm the run did not succeed: {errors}")
        wrong += [
            f"After the {storm} storm {sentence}"
            for sentence in compare(company, company.settings(home), streams).sentences
        ]
        for stream in streams:
            company.change(stream)
    return Report(seen, tuple(wrong))


def _unspoken(said: str, errors: str, streams: Sequence[Stream]) -> Iterator[str]:
    """Where a run did not say what became of a stream, or gave up without a sentence that names stream and remedy."""
    names = [str(stream) for stream in streams]
    read = {line.split()[0] for line in said.splitlines()}
    for line in errors.splitlines():
        if line.split(":")[0] not in names:
            yield f"this was said, which names no stream: {line}"
    for name in names:
        told = [line for line in errors.splitlines() if line.startswith(f"{name}: ")]
        if name not in read and not told:
            yield f"nothing was said of {name}."
        elif name not in read and not _REMEDY.search(told[-1]):
            yield f"no remedy was named: {told[-1]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.weather", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    seed = parser.parse_args().seed
    kinds = {fault.__name__: [fault] for fault in FAULTS} | {"all together": list(FAULTS)}
    faults: Counter[str] = Counter()
    wrong: list[str] = []
    for number, (kind, befalling) in enumerate(kinds.items()):
        with (
            tempfile.TemporaryDirectory(prefix="tieout-weather-") as folder,
            hostile_company(Path(folder, "company"), seed) as company,
        ):
            # The source's clock is never ours: minutes ahead or behind.
            company.clock_skew = timedelta(minutes=4 if number % 2 else -4)
            report = weather(company, Path(folder, "home"), befalling, seed + number)
        faults += report.faults
        wrong += [f"{kind}: {sentence}" for sentence in report.wrong]
        sys.stderr.write(f"{kind}: {report.faults.total()} faults, {len(report.wrong)} wrong\n")
    for sentence in wrong:
        sys.stderr.write(f"{sentence}\n")
    missed = [fault.__name__ for fault in FAULTS if not faults[fault.__name__]]
    sys.stdout.write(
        f"weather-test: {len(FAULTS)} kinds of weather, each alone and all together, {faults.total()} faults, "
        f"{len(wrong)} wrong, {len(missed)} kinds not seen (target 0 and 0), seed {seed}\n"
    )
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
