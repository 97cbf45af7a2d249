from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

CREDENTIALS = ("STRIPE_API_KEY", "ORB_API_KEY", "APP_DATABASE_URL", "BANK_STATEMENTS")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose dbt project is parsed once for all tests of this folder."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def definitions(home: Path) -> Iterator[dg.Definitions]:
    """The production definitions, loaded with no credential in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIEOUT_HOME", str(home))
        for name in (*CREDENTIALS, "TIEOUT_WAREHOUSE", "TIEOUT_LAKE"):
            patch.setenv(name, "")
        from orchestration.definitions import defs

        yield defs()
