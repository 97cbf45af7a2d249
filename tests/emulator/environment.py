"""The emulator as a process in its own environment, which `make emulator-setup` makes."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".emulator" / "bin" / "python"
MISSING = "the emulator's environment is not there: `make emulator-setup` makes it"
_SECONDS_TO_START = 60


class NoEmulator(Exception):
    """One sentence with what the emulator said last, or with what makes it."""


@contextmanager
def emulator(log: Path) -> Iterator[str]:
    """Host and port at which it answers, while the context lasts; what it says goes to `log`. Raises NoEmulator."""
    if not PYTHON.exists():
        raise NoEmulator(MISSING)
    ports = _free_ports()
    started = [str(PYTHON), str(Path(__file__).with_name("started.py")), "start"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*started, "--rest-port", str(ports[0]), "--grpc-port", str(ports[1]), "--log-level", "error"],
            stdout=out,
            stderr=out,
            env={**os.environ, "PYTHONPATH": ""},
        )
        try:
            _wait(process, ports[0], log)
            yield f"127.0.0.1:{ports[0]}"
        finally:
            process.terminate()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise NoEmulator(f"the emulator did not start: {log.read_text()[-500:]}")


def _free_ports() -> list[int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return [one.getsockname()[1], other.getsockname()[1]]
