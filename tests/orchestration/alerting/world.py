"""Findings made by hand, and a day in which they are evaluated: what a channel is told is written down instead of sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from orchestration.alerting.finding import Finding, Kind
from orchestration.alerting.router import State, advance, delivered, due, refused, settled
from orchestration.alerting.rules import Rules, read_rules

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def finding(kind: Kind = Kind.RUN_FAILED, subject: str = "hourly", **more: Any) -> Finding:
    words: dict[str, Any] = {"what": "it is wrong", "remedy": "mend it", "since": NOON}
    return Finding(kind=kind, subject=subject, **{**words, **more})


class Day:
    """Evaluations one after another, from noon on by the shipped rules; `down` are the channels that refuse everything."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or read_rules()
        self.state = State()
        self.now = NOON
        self.down: set[str] = set()
        self.messages = 0

    def at(self, clock: str) -> Day:
        """Go on to an hour of the day; one that has been is tomorrow's."""
        hour, minute = map(int, clock.split(":"))
        then = self.now.replace(hour=hour, minute=minute)
        self.now = then if then >= self.now else then + timedelta(days=1)
        return self

    def told(self, *findings: Finding) -> list[str]:
        """Evaluate, and say who is told what: `oncall new hourly`."""
        said = []
        self.state = advance(self.state, findings, self.rules, self.now)
        for message in due(self.state, self.rules, dict.fromkeys(self.rules.channels, 10), self.now):
            if message.channel in self.down:
                self.state = refused(self.state, message.channel, "down", self.now)
                continue
            self.messages += 1
            said += [f"{message.channel} {news} {alert.finding.subject}" for news, alert in message.news]
            self.state = delivered(self.state, message, self.now)
        self.state = settled(self.state, self.rules, self.rules.channels)
        # As it is kept: what does not survive being written is noticed here.
        self.state = msgspec.json.decode(msgspec.json.encode(self.state), type=State)
        return said
