"""What holds for every test."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

_BEFORE = pytest.StashKey[dict[str, str]]()

pytest_plugins = ["tests.emulator.fixtures", "tests.worlds"]


def pytest_configure() -> None:
    # On a busy machine a deadline fails what is right.
    settings.register_profile("tieout", deadline=None)
    settings.load_profile("tieout")


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], AbstractContextManager[Path]]:
    """A folder by its name, the same one for all workers, who have it one after the other: the first fills it."""
    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    @contextmanager
    def held(name: str) -> Iterator[Path]:
        folder = common / name
        folder.mkdir(exist_ok=True)
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder

    return held


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
