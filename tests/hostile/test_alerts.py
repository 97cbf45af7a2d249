from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestration.alerting import evaluation
from tests.hostile.alerts import simulate

_STEPS = 72


def test_with_receivers_down_and_a_sensor_that_dies_everybody_is_told_and_not_over_and_over(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, seed=3, steps=_STEPS)
    assert (outcome.untold, outcome.unended, outcome.twice) == ([], [], [])
    assert outcome.outages
    assert outcome.episodes
    assert outcome.kills.total()
    assert outcome.is_good


def test_what_is_sent_and_not_recorded_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "delivered", lambda state, message, now: state)
    assert simulate(tmp_path, seed=3, steps=_STEPS, calm=timedelta(0)).twice


def test_what_is_recorded_and_not_sent_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "deliver", lambda message, address, rules: None)
    assert simulate(tmp_path, seed=3, steps=_STEPS, calm=timedelta(0)).untold
