"""Small worlds, made once a session, and how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sandbox.dataset import read_objects, read_statements, read_table
from sandbox.generate import generate

SHARED = Path(__file__).parents[4] / "shared"
TINY: dict[str, Any] = {"customers": 24, "months": 3, "events": 12_000}
MEDIUM: dict[str, Any] = {"customers": 40, "months": 4, "events": 24_000}


@dataclass(frozen=True)
class Dataset:
    """A dataset directory; money and quantities come back as decimals."""

    path: Path

    def objects(self, name: str) -> list[dict[str, Any]]:
        """All objects of a resource, e.g. `stripe/charges`."""
        return list(read_objects(self.path, name))

    def table(self, name: str) -> pa.Table:
        return read_table(self.path, name)

    @cached_property
    def statements(self) -> dict[str, list[dict[str, str]]]:
        return read_statements(self.path)

    @cached_property
    def answers(self) -> list[dict[str, Any]]:
        return self.objects("answer_key")

    def answers_of(self, comparison: str) -> dict[str, tuple[str | None, str | None, Decimal]]:
        """What the key says of a comparison: match key to left reference, right reference, difference."""
        return {
            answer["match_key"]: (answer["left_ref"], answer["right_ref"], Decimal(answer["difference"]))
            for answer in self.answers
            if answer["comparison"] == comparison
        }


def major(minor: int, currency: str) -> Decimal:
    """Stripe's integer as major units."""
    return Decimal(minor).scaleb(0 if currency.upper() == "JPY" else -2)


def shared(name: str) -> Path:
    """A file of the data beside the project; the test is skipped, loudly, where it is not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {path}, which is not part of the project")
    return path


def _make(factory: pytest.TempPathFactory, name: str, **arguments: Any) -> Dataset:
    path = factory.mktemp(name) / "dataset"
    generate(path, **arguments)
    return Dataset(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The smallest world, every defect."""
    return _make(tmp_path_factory, "tiny", **TINY)


@pytest.fixture(scope="session")
def tiny_clean(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The smallest world, no defect."""
    return _make(tmp_path_factory, "tiny_clean", **TINY, defects="none")


@pytest.fixture(scope="session")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A middling world, every defect twice."""
    return _make(tmp_path_factory, "medium", **MEDIUM)


@pytest.fixture(scope="session")
def medium_clean(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A middling world, no defect."""
    return _make(tmp_path_factory, "medium_clean", **MEDIUM, defects="none")


@pytest.fixture(params=["tiny_clean", "medium_clean"])
def clean(request: pytest.FixtureRequest) -> Dataset:
    """Each world without defects."""
    found: Dataset = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["tiny", "medium"])
def planted(request: pytest.FixtureRequest) -> Dataset:
    """Each world with defects."""
    found: Dataset = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["tiny_clean", "medium_clean", "tiny", "medium"])
def any_world(request: pytest.FixtureRequest) -> Dataset:
    """Every world."""
    found: Dataset = request.getfixturevalue(request.param)
    return found
