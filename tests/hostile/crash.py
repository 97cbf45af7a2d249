"""Kills the real sync at random moments, starts it again, and compares at the end: `python -m tests.hostile.crash --seed 7`.

The source changes before every start, so that there is always something to read. Where in its work the process dies is aimed at
by watching the lake: while a batch's file is written, between that and its load, or wherever chance has it.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ingestion.streams import CERTIFICATES, Stream
from ingestion.sync import rebuild
from tests.hostile.company import READ, Company, hostile_company
from tests.hostile.comparison import Comparison, compare
from tests.hostile.run import kill, started

_PHASES = {"lake": "with a file half written", "load": "after it was in place", "any": "elsewhere"}

_PATIENCE = 300.0
_LONGEST_RUN = 4.0
"""Seconds within which a kill at a moment of no choice falls: a run over a few streams takes about as long."""


@dataclass(frozen=True)
class Outcome:
    """Kills by phase, and what the raw tables were like in the end, as loaded and as rebuilt from the lake alone."""

    kills: Counter[str]
    loaded: Comparison
    rebuilt: Comparison
    last_words: str

    @property
    def is_equal(self) -> bool:
        return self.loaded.is_equal and self.rebuilt.is_equal and not self.last_words


def crash(company: Company, home: Path, kills: int, seed: int) -> Outcome:
    """`kills` deaths of the real process, then one run to the end. Raises TimeoutError when it can't be hit."""
    chance, settings = random.Random(seed), company.settings(home)
    done: Counter[str] = Counter()
    # Every stream in its turn, in an order of its own each time round, and every phase as often as the others.
    targets = _rounds(chance, [(stream, phase) for stream in (*READ, CERTIFICATES) for phase in _PHASES])
    deadline = time.monotonic() + _PATIENCE + kills * 10
    while done.total() < kills:
        stream, phase = next(targets)
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{done.total()} of {kills} kills hit ({stream}, {phase} was next): the machine is too slow."
            )
        if struck := _strike(company, home, stream, phase, chance):
            done[struck] += 1
    company.settle()
    with started(company.environment, home) as process:
        _, errors = process.communicate(timeout=_PATIENCE)
    loaded = compare(company, settings)
    again = replace(settings, warehouse=home / "rebuilt.duckdb")
    rebuild(again)
    return Outcome(done, loaded, compare(company, again), "" if process.returncode == 0 else errors)


def _strike(company: Company, home: Path, stream: Stream, phase: str, chance: random.Random) -> str | None:
    """Start a run that reads the stream, and kill it. The phase that it died in; None when it came to its end alive."""
    read = chance.choice(READ) if stream == CERTIFICATES else stream
    others = chance.sample(READ, 2)
    for each in (read, *others):
        company.change(each)
    folder = home / "lake" / stream.source / stream.name
    before = _names(folder)

    def written() -> set[str]:
        return _names(folder) - before

    with started(company.environment, home, *read.after, str(read), *map(str, others)) as process:
        match phase:
            case "lake":
                _wait(process, _PATIENCE, lambda: bool(written()))
                _wait(process, chance.uniform(0, 0.001))
            case "load":
                _wait(process, _PATIENCE, lambda: _told_by(written()) == "load")
                _wait(process, chance.uniform(0, 0.03))
            case _:
                _wait(process, chance.uniform(0.3, _LONGEST_RUN))
        return _told_by(written()) if kill(process) else None


def _told_by(written: set[str]) -> str:
    """The phase that a stream's new files tell of."""
    if any(name.endswith(".part") for name in written):
        return "lake"
    return "load" if written else "any"


def _wait(process: subprocess.Popen[str], seconds: float, is_time: Callable[[], bool] = lambda: False) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not is_time():
        pass


def _names(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()


def _rounds(chance: random.Random, targets: list[tuple[Stream, str]]) -> Iterator[tuple[Stream, str]]:
    while True:
        yield from chance.sample(targets, len(targets))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.crash", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kills", type=int, default=200)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tieout-crash-") as folder,
        hostile_company(Path(folder, "company"), arguments.seed, events=20_000) as company,
    ):
        outcome = crash(company, Path(folder, "home"), arguments.kills, arguments.seed)
    loaded, rebuilt = outcome.loaded, outcome.rebuilt
    for sentence in (*loaded.sentences, *(f"Rebuilt: {sentence}" for sentence in rebuilt.sentences)):
        sys.stderr.write(f"{sentence}\n")
    sys.stderr.write(outcome.last_words)
    told = ", ".join(f"{outcome.kills[phase]} {words}" for phase, words in _PHASES.items())
    sys.stdout.write(
        f"crash-test: {outcome.kills.total()} kills ({told}), {len(loaded.missing) + len(rebuilt.missing)} rows missing, "
        f"{len(loaded.twice) + len(rebuilt.twice)} twice (target 0 and 0), seed {arguments.seed}\n"
    )
    return 0 if outcome.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
