"""Fixtures for tests that need the emulator; without its environment they are skipped, and say which target makes it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator.environment import NoEmulator, emulator
from tests.emulator.proxy import Endpoint, proxied
from tests.emulator.warehouse import Project


@pytest.fixture(scope="session")
def emulator_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="session")
def bigquery_endpoint(emulator_folder: Path) -> Iterator[Endpoint]:
    try:
        with emulator(emulator_folder) as upstream, proxied(upstream) as endpoint:
            yield endpoint
    except NoEmulator as missing:
        warnings.warn(f"BigQuery is not tested: {missing}", stacklevel=1)
        pytest.skip(str(missing))


@pytest.fixture
def bigquery_project(bigquery_endpoint: Endpoint) -> Iterator[Project]:
    """An empty project; what befalls its requests ends with the test."""
    bigquery_endpoint.sent.clear()
    bigquery_endpoint.refused.clear()
    yield Project(bigquery_endpoint)
    bigquery_endpoint.befall = lambda asked, passed_on: None
