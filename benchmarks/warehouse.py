"""A company's warehouse as production makes it: landed by the real sync, built by the real dbt."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from benchmarks.measure import Run, contestant
from ingestion.certificate import certify, land_certificates
from ingestion.settings import Settings
from ingestion.streams import STREAMS
from ingestion.sync import sync

ROOT = Path(__file__).parents[1]


def land(dataset: Path, settings: Settings) -> None:
    """Every stream, certified, at the moment at which the dataset ends."""
    then = datetime.fromisoformat(json.loads((dataset / "dataset.json").read_text())["now"])
    for stream in STREAMS:
        certify(sync(stream, settings, lambda: then), settings, lambda: then)
    land_certificates(settings, lambda: then)


def dbt(warehouse: Path, target: Path, verb: str, *arguments: str) -> Run:
    """One run of dbt over a DuckDB file; what it compiles and logs stands in `target`. Raises ContestantFailed."""
    project, written = ("--project-dir", ROOT, "--profiles-dir", ROOT), ("--target-path", target, "--log-path", target)
    return contestant(
        Path(sys.executable).with_name("dbt"),
        verb,
        *arguments,
        *project,
        *written,
        environment={"TIEOUT_WAREHOUSE": str(warehouse), "DO_NOT_TRACK": "1"},
    )


def build(warehouse: Path, target: Path, *arguments: str) -> Run:
    """Everything as the production job builds it. Counts by model the seconds that its statements took."""
    logged = ["--log-level-file", "debug", "--log-format-file", "json", "--log-file-max-bytes", "0"]
    (target / "dbt.log").unlink(missing_ok=True)
    run = dbt(warehouse, target, "build", *logged, *arguments)
    seconds: dict[str, float] = defaultdict(float)
    with (target / "dbt.log").open() as log:
        for line in log:
            if '"SQLQueryStatus"' in line:
                said = json.loads(line)["data"]
                node = said.get("node_info", {})
                if node.get("resource_type") == "model":
                    seconds[node["node_name"]] += said["elapsed"]
    return Run(run.seconds, run.cpu_seconds, run.peak_bytes, seconds)
