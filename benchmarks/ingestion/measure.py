"""What the benchmarks of reading share: a contestant as a process of its own, peers in their own environment, and the report.

run = contestant(sys.executable, "-m", "benchmarks.ingestion.postgres", "--contestant", "tieout", ...)
run.seconds, run.peak_bytes, run.figures["rows"]
sys.exit(report("postgres", method={"rows": 10_000_000}, table=rows, targets=[Target("…", 0.6, at_least=0.5)], folder=RESULTS))
"""

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

RESULTS = Path(__file__).parent.parent / "results"
_PEERS = Path(__file__).parent / "peers"

# A process counts the memory of the one it was forked from as its own, so contestants are forked from this small one.
_LAUNCHER = """
import os, sys, time
started = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    print(time.monotonic() - started, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status), file=file)
"""


class ContestantFailed(Exception):
    """A contestant's process ended with an error: its command and the last lines of what it said."""


@dataclass(frozen=True)
class Run:
    """One run of a contestant: wall seconds and peak resident bytes of the process, and the figures it gave itself.

    `figures` is the last line of its output that is a JSON object, if there is one. `seconds` in it stands for the process's own,
    so that a contestant in Python may leave its imports out.
    """

    seconds: float
    peak_bytes: int
    figures: Mapping[str, float] = field(default_factory=dict)


def contestant(*command: str | Path, is_quiet: bool = False) -> Run:
    """Run a command to its end. `is_quiet` sends its output to /dev/null. Raises ContestantFailed."""
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile("r") as measured:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, measured.name, *map(str, command)]
        subprocess.run(
            launcher,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if is_quiet else output,
            stderr=output,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace").splitlines()
        seconds, peak_bytes, code = (float(text) for text in measured.read().split() or ("0", "0", "1"))
    if code:
        raise ContestantFailed("\n".join([" ".join(map(str, command)), *said[-20:]]))
    figures = next((json.loads(line) for line in reversed(said) if line.startswith("{")), {})
    return Run(figures.get("seconds", seconds), int(peak_bytes), figures)


def peers(name: str) -> Path:
    """The Python of the environment that `peers/requirements-<name>.txt` describes; made under .tieout at the first call."""
    requirements = _PEERS / f"requirements-{name}.txt"
    home = Path(".tieout") / "peers" / name
    python, made = home / "bin" / "python", home / "made-from.txt"
    if not made.exists() or made.read_bytes() != requirements.read_bytes():
        sys.stderr.write(f"Installing the peers of {requirements} into {home} ...\n")
        venv.create(home, clear=True, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        subprocess.run(pip, check=True)
        made.write_bytes(requirements.read_bytes())
    return python.absolute()


@dataclass(frozen=True)
class Target:
    """A claim: what is measured, the figure of this run and the bound that it has to keep. One bound is given."""

    what: str
    figure: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        return (self.at_least is None or self.figure >= self.at_least) and (
            self.at_most is None or self.figure <= self.at_most
        )

    def __str__(self) -> str:
        bound = f"at least {self.at_least:,}" if self.at_least is not None else f"at most {self.at_most:,}"
        return f"{self.what}: {self.figure:,.2f} (target: {bound}){'' if self.is_met else '  SHORT'}"


def report(
    name: str,
    method: Mapping[str, object],
    table: Sequence[Mapping[str, str | float]],
    targets: Sequence[Target],
    folder: Path,
) -> int:
    """Print the table and one line a target, write both to `<folder>/<name>.json`, and return 1 when a target is missed, else 0.

    A row of the table has the same keys as the others; the first column is what the row is about.
    """
    columns = list(table[0])
    cells = [columns, *([_cell(row[column]) for column in columns] for row in table)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    for first, *rest in cells:
        aligned = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        sys.stdout.write("  ".join([first.ljust(widths[0]), *aligned]) + "\n")
    sys.stdout.write("\n".join(["", *map(str, targets), ""]))
    folder.mkdir(parents=True, exist_ok=True)
    written = {
        "machine": machine(),
        "method": dict(method),
        "table": list(table),
        "targets": [{**asdict(target), "is_met": target.is_met} for target in targets],
    }
    (folder / f"{name}.json").write_text(json.dumps(written, indent=2) + "\n")
    return 0 if all(target.is_met for target in targets) else 1


def machine() -> dict[str, str | int]:
    """What the figures depend on."""
    return {
        "cores": os.cpu_count() or 0,
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _cell(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:,.0f}" if value >= 1000 else f"{value:,.2f}"
