"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.emulator.fixtures"]


def pytest_configure() -> None:
    # On a busy machine a deadline fails what is right.
    settings.register_profile("tieout", deadline=None)
    settings.load_profile("tieout")


@pytest.fixture(autouse=True, scope="module")
def _the_environment_is_left_as_it_was() -> Iterator[None]:
    """What one module's tests set, those of the next would read: which it is depends on the worker."""
    before = _product()
    yield
    assert _product() == before


def _product() -> dict[str, str]:
    named = ("TIEOUT_", "STRIPE_", "ORB_", "APP_", "BANK_", "BIGQUERY_", "DBT_TARGET")
    return {name: value for name, value in os.environ.items() if name.startswith(named)}
