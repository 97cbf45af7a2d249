from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ingestion.settings import Secret
from orchestration.alerting import evaluation
from orchestration.alerting.delivery import deliver
from orchestration.alerting.evaluation import tell
from orchestration.alerting.router import Message, State, delivered
from orchestration.alerting.rules import Rules
from tests.hostile.alerts import simulate

_STEPS = 72


def test_with_receivers_down_and_a_sensor_that_dies_everybody_is_told_and_not_over_and_over(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, seed=3, steps=_STEPS)
    assert (outcome.untold, outcome.unended, outcome.twice) == ([], [], [])
    assert outcome.outages
    assert outcome.episodes
    assert outcome.kills.total()
    assert outcome.is_good


def test_what_is_sent_and_not_recorded_and_what_is_recorded_and_not_sent_are_noticed(tmp_path: Path) -> None:
    outcome = simulate(tmp_path, seed=5, steps=48, calm=timedelta(0), told=_careless)
    assert outcome.twice
    assert all("'oncall'" in text for text in outcome.twice)
    assert outcome.untold
    assert all(text.startswith("finance") for text in outcome.untold)


def _careless(*arguments: Any) -> State:
    """Records nothing of what it sends to the one, and sends nothing of what it records for the other."""

    def send(message: Message, address: Secret, rules: Rules) -> str | None:
        return None if message.channel == "finance" else deliver(message, address, rules)

    def record(state: State, message: Message, now: datetime) -> State:
        return delivered(state, message, now) if message.channel == "finance" else state

    with patch.object(evaluation, "deliver", send), patch.object(evaluation, "delivered", record):
        return tell(*arguments)
