"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tests.emulator.fixtures"]


def pytest_configure() -> None:
    # On a busy machine a deadline fails what is right.
    settings.register_profile("tieout", deadline=None)
    settings.load_profile("tieout")
