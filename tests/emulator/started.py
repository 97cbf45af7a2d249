"""Run by the emulator's own Python: starts it without a network and without its known faults. Nothing of the project is here.

python started.py start --rest-port 9050 --grpc-port 9060
"""

from __future__ import annotations

import os
import sys

os.environ["BQEMU_ENABLE_FORMAT_EXTENSIONS"] = "false"

import patches
from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

# In place of an extension for geography, which it would download and nothing here uses.
DuckDBEngine._load_spatial = lambda self: patches.prepare(self._connection)

sys.argv[0] = "bqemulator"
main()
