"""The emulators of BigQuery and of Cloud Storage as processes in their own environment, which `make emulator-setup` makes."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow.fs as pafs

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".emulator" / "bin" / "python"
BUCKET = "acme-lake"
MISSING = "the emulator's environment is not there: `make emulator-setup` makes it"
_BUCKETS = "buckets"
_SECONDS_TO_START = 60


class NoEmulator(Exception):
    """One sentence with what the emulator said last, or with what makes it."""


@contextmanager
def emulator(folder: Path) -> Iterator[str]:
    """Host and port at which it answers, while the context lasts; what it says goes to `folder`, where buckets are too.
    Raises NoEmulator."""
    port, of_grpc = _free_ports()
    command = [str(Path(__file__).with_name("started.py")), "start", "--rest-port", str(port), "--log-level", "error"]
    with _running([*command, "--grpc-port", str(of_grpc)], port, folder, BQEMU_GCS_LOCAL_ROOT=str(folder / _BUCKETS)):
        yield f"127.0.0.1:{port}"


@contextmanager
def cloud_storage(folder: Path) -> Iterator[pafs.FileSystem]:
    """Cloud Storage with the bucket `BUCKET`, which the emulator of the same folder loads from. Raises NoEmulator."""
    port, _ = _free_ports()
    command = ["-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    where = {"STORAGE_BASE": str(folder), "STORAGE_DIR": _BUCKETS}
    with _running([*command, "--default-bucket", BUCKET], port, folder, **where):
        yield pafs.GcsFileSystem(anonymous=True, scheme="http", endpoint_override=f"127.0.0.1:{port}")


@contextmanager
def _running(command: Sequence[str], port: int, folder: Path, **environment: str) -> Iterator[None]:
    if not PYTHON.exists():
        raise NoEmulator(MISSING)
    log = folder / f"{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(PYTHON), *command], stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": "", **environment}
        )
        try:
            _wait(process, port, log)
            yield
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
