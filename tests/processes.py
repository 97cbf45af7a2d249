"""What a command under test has started."""

from __future__ import annotations

from contextlib import suppress

import psutil


def running(process: psutil.Process) -> dict[psutil.Process, list[str]]:
    """Every descendant with its command line; one that ends while it is looked at is left out."""
    found: dict[psutil.Process, list[str]] = {}
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[child] = child.cmdline()
    return found
