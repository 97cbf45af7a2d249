"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

_BEFORE = pytest.StashKey[dict[str, str]]()

pytest_plugins = ["tests.emulator.fixtures"]


def pytest_configure() -> None:
    # On a busy machine a deadline fails what is right.
    settings.register_profile("tieout", deadline=None)
    settings.load_profile("tieout")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    _module(item).stash.setdefault(_BEFORE, _product())
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """What a module's tests left in the environment, those of the next would read: which it is depends on the worker."""
    yield
    if nextitem is None or _module(nextitem) is not _module(item):
        assert _product() == _module(item).stash[_BEFORE], (
            f"{_module(item).name} does not leave the environment as it was"
        )


def _module(item: pytest.Item) -> pytest.Module:
    found = item.getparent(pytest.Module)
    assert found is not None
    return found


def _product() -> dict[str, str]:
    named = ("TIEOUT_", "STRIPE_", "ORB_", "APP_", "BANK_", "BIGQUERY_", "DBT_TARGET")
    return {name: value for name, value in os.environ.items() if name.startswith(named)}
