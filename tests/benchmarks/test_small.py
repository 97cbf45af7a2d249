"""Every benchmark in small: it runs, it lands what it says, and it ends with its line. Nothing is timed here."""

from __future__ import annotations

import pytest

from benchmarks.ingestion import postgres


def test_the_postgres_benchmark_lands_every_row_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgres, "ROWS", 2_000)
    monkeypatch.setattr(postgres, "ROUNDS", 1)
    monkeypatch.setattr(postgres, "TARGET", 0)
    assert postgres.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("usage events to raw: ")


def test_a_benchmark_that_falls_short_says_so_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ROWS", 2_000)
    monkeypatch.setattr(postgres, "ROUNDS", 1)
    monkeypatch.setattr(postgres, "TARGET", 1_000)
    assert postgres.main() == 1
