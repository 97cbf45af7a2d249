from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.company import Company, hostile_company


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One small company for all; each test reads it into a home of its own."""
    with hostile_company(tmp_path_factory.mktemp("company"), seed=7) as opened:
        yield opened
