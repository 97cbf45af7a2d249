"""What the benchmarks share: a contestant as a process of its own, the peers' environment, and the report."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"
_PEERS = Path(__file__).parent / "peers.txt"

# A process counts the memory of the one it was forked from as its own, so contestants are forked from this small one.
_LAUNCHER = """
import os, sys, time
started = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds, code = time.monotonic() - started, os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:
    print(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, code, file=file)
"""


class ContestantFailed(Exception):
    """A contestant's process ended with an error: its command and the last lines of what it said."""


@dataclass(frozen=True)
class Run:
    """One run of a contestant: wall seconds, and of its own process the processor seconds and peak resident bytes.

    A contestant in Python leaves its imports out of the wall seconds: its last line is a JSON object that has `seconds`, and
    whatever else it counted, which stands in `counted`.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: float
    counted: Mapping[str, float] = field(default_factory=dict)


def contestant(*command: str | Path, environment: Mapping[str, str] | None = None, is_quiet: bool = False) -> Run:
    """Run a command to its end. `is_quiet` sends its output to /dev/null. Raises ContestantFailed."""
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile("r") as measured:
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, measured.name, *map(str, command)],
            # A home that is set around us would be the contestant's.
            env={name: value for name, value in os.environ.items() if not name.startswith("TIEOUT_")}
            | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if is_quiet else output,
            stderr=output,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").splitlines()
        seconds, cpu_seconds, peak_bytes, code = map(float, measured.read().split() or "0001")
    if code:
        raise ContestantFailed("\n".join([" ".join(map(str, command)), *said[-20:]]))
    counted = json.loads(said[-1]) if said and said[-1].startswith("{") else {}
    return Run(counted.get("seconds", seconds), cpu_seconds, peak_bytes, counted)


def middle(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        median(run.seconds for run in runs),
        median(run.cpu_seconds for run in runs),
        median(run.peak_bytes for run in runs),
        {name: median(run.counted[name] for run in runs) for name in runs[0].counted},
    )


def peers() -> Path:
    """The Python of an environment with benchmarks/peers.txt: .tieout/peers, made at the first call."""
    home = Path(".tieout/peers")
    python, made = home / "bin/python", home / "made-from.txt"
    if not made.exists() or made.read_bytes() != _PEERS.read_bytes():
        sys.stderr.write(f"Installing what {_PEERS.name} names into {home} ...\n")
        venv.create(home, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", _PEERS], check=True)
        made.write_bytes(_PEERS.read_bytes())
    return python.absolute()


@dataclass(frozen=True)
class Target:
    """A claim: what is measured, this run's figure, its unit and the bound that it has to keep. One bound is given."""

    what: str
    figure: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        return (self.at_least is None or self.figure >= self.at_least) and (
            self.at_most is None or self.figure <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least:,g}" if self.at_least is not None else f"at most {self.at_most:,g}"
        return f"{self.figure:,.2f} {self.unit} {self.what} ({bound}{'' if self.is_met else ': SHORT'})"


def report(name: str, method: str, table: Sequence[Mapping[str, str | float]], targets: Sequence[Target]) -> int:
    """Print a Markdown table and, last, the targets in one line; write both to benchmarks/results/<name>.json. Returns the
    exit code: 1 when a target is missed. The rows of the table have the same keys; the first column is what the row is about.
    """
    columns = list(table[0])
    lines = [
        columns,
        ["---", *("---:" for _ in columns[1:])],
        *([_cell(row[column]) for column in columns] for row in table),
    ]
    sys.stdout.write(f"{method}; {_machine()}\n\n")
    sys.stdout.writelines(f"| {' | '.join(cells)} |\n" for cells in lines)
    RESULTS.mkdir(exist_ok=True)
    written = {
        "method": method,
        "machine": _machine(),
        "table": list(table),
        "targets": [{**asdict(target), "is_met": target.is_met} for target in targets],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(written, indent=2) + "\n")
    sys.stdout.write(f"\n{name}: {'; '.join(map(str, targets))}\n")
    return 0 if all(target.is_met for target in targets) else 1


def _machine() -> str:
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{os.cpu_count()} cores, {gigabytes:.0f} GB, {platform.machine()}, Python {platform.python_version()}"


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}"
