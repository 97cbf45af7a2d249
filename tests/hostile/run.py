"""The real sync as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def started(environment: Mapping[str, str], home: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m ingestion` of these streams, of all where none is named. It is dead when the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ingestion", *names],
        # What other tests left in our own environment would send the run to their warehouse.
        env={**environment, "TIEOUT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            kill(process)


def kill(process: subprocess.Popen[str]) -> bool:
    """Whether the process was alive to be killed."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode == -signal.SIGKILL
