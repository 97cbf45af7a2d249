"""The sandbox company as the pipeline's sources: where a company's files are kept, and the environment that points at it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ingestion.settings import Settings

_SANDBOX = Path(__file__).parents[1] / "sandbox"


@dataclass(frozen=True)
class World:
    """The arguments a company is generated from: the same arguments, the same bytes."""

    seed: int
    customers: int
    months: int
    events: int
    defects: str

    def __str__(self) -> str:
        defects = {"all": "all defects planted", "none": "no defects"}.get(self.defects, f"planted: {self.defects}")
        return f"{self.customers} customers, {self.months} months, {self.events:,} usage events, {defects}, seed {self.seed}"


def home_of(settings: Settings, world: World, dataset: Path | None) -> Path:
    """The folder of all that is made of one company: its data, warehouse, lake, logs. Companies never mix.

    The generator's code is in the name of a generated one: data that older code wrote is not served by newer code.
    A dataset that is given is only read.
    """
    digest = hashlib.sha256()
    if dataset:
        name = dataset.resolve().name
        digest.update(str(dataset.resolve()).encode())
    else:
        name = f"seed-{world.seed}"
        digest.update(repr(asdict(world)).encode())
        for path in sorted(_SANDBOX.rglob("*.py")):
            digest.update(path.read_bytes())
    return settings.home / "demo" / f"{name}-{digest.hexdigest()[:8]}"


@contextmanager
def sources(home: Path, dataset: Path, warehouse: Path | None) -> Iterator[Mapping[str, str]]:
    """Serve the dataset, with this process's environment pointing at it and at the warehouse and lake that belong to it.

    Raises SandboxError when the company cannot open.
    """
    from sandbox.serve import serve

    with serve(dataset, home / "servers") as company:
        environment = {
            **company.environment(),
            "TIEOUT_HOME": str(home),
            "TIEOUT_WAREHOUSE": str(warehouse or home / "tieout.duckdb"),
            "TIEOUT_LAKE": str(home / "lake"),
        }
        before = dict(os.environ)
        os.environ.update(environment)
        try:
            yield environment
        finally:
            os.environ.clear()
            os.environ.update(before)
