"""Alerts with receivers that are down and a sensor that is killed: `python -m tests.hostile.alerts --seed 7`.

Days are simulated in steps of five minutes, with a real evaluation each, in a process of its own: real state in a real Dagster
instance, real messages to PagerDuty's address and to a webhook, whose receivers are on this machine. Findings come and go. For an
hour at a time a receiver refuses everything, or takes it and hangs up without an answer; and processes are killed, at moments of
no choice or over a message that has arrived and is not recorded.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import NoReturn

import dagster as dg
import msgspec
from apprise import Apprise

from ingestion.settings import Secret
from orchestration.alerting.evaluation import recall, tell
from orchestration.alerting.finding import Finding, Kind
from orchestration.alerting.router import State
from orchestration.alerting.rules import read_rules
from tests.orchestration.alerting.receivers import Received, Receiver, receiving

_BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
_STEP = timedelta(minutes=5)
_HOUR = timedelta(hours=1)
_CALM = timedelta(days=2)
_LONGEST_EVALUATION = 0.3
_PAGER, _HOOK = "oncall", "finance"
_SUBJECTS = [
    (Kind.RUN_FAILED, "hourly", "error"),
    (Kind.RUN_FAILED, "nightly", "error"),
    (Kind.CHECK_FAILED, "marts/fct_invoices", "error"),
    (Kind.CHECK_FAILED, "marts/fct_payouts", "warning"),
    (Kind.NOT_FRESH, "stripe", None),
    (Kind.CERTIFICATE_MISSING, "orb", None),
    (Kind.EXCEPTION_EXPIRED, "1f00", None),
]


@dataclass(frozen=True)
class Episode:
    """Something is wrong from one moment to another."""

    finding: Finding
    until: datetime


@dataclass(frozen=True)
class Outage:
    """An hour in which a channel's receiver refuses everything, or `takes` it and never answers."""

    channel: str
    since: datetime
    takes: bool

    def is_at(self, now: datetime) -> bool:
        return self.since <= now < self.since + _HOUR


@dataclass(frozen=True)
class Arrival:
    """A message as its receiver has it: of which alert, begun when, the how-manieth, and whether it says that it is over."""

    channel: str
    fingerprint: str
    since: datetime
    number: int
    is_over: bool
    at: datetime


@dataclass
class Outcome:
    """What was wrong, who heard of it, and how often. A text is what one message said, whether it came once or twice."""

    outages: int
    episodes: int
    kills: Counter[str] = field(default_factory=Counter)
    arrivals: list[Arrival] = field(default_factory=list)
    excused: Counter[object] = field(default_factory=Counter)
    untold: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)

    @property
    def twice(self) -> list[str]:
        """Texts that came oftener than once, and once more for each process that died over them and each answer that was lost."""
        texts = Counter(map(_text, self.arrivals))
        return [f"{text} came {times} times" for text, times in texts.items() if times > 1 + self.excused[text]]

    @property
    def most(self) -> int:
        """How often one text came at most."""
        return max(Counter(map(_text, self.arrivals)).values(), default=0)

    @property
    def is_good(self) -> bool:
        return not (self.untold or self.unended or self.twice) and self.most < 40


def simulate(
    folder: Path, seed: int, steps: int, calm: timedelta = _CALM, told: Callable[..., State] = tell
) -> Outcome:
    """That many steps with everything that can happen, and as many more in peace as it takes until nobody waits for anything."""
    chance = random.Random(seed)
    end = _BEGIN + steps * _STEP
    episodes = [episode for subject in _SUBJECTS for episode in _episodes(chance, *subject, end)]
    outages = _outages(chance, end)
    outcome = Outcome(len(outages), len(episodes))
    home = folder / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with receiving(folder) as receiver, dg.DagsterInstance.from_config(str(home)) as instance:
        world = _World(chance, receiver, home, outages, outcome, told)
        now = _BEGIN
        while now < end:
            world.step(now, _wrong(episodes, now), is_hostile=True)
            now += _STEP
        while (state := recall(instance)).alerts and now < end + calm:
            world.step(now, _wrong(episodes, now), is_hostile=False)
            now += _STEP
        world.end()
    outcome.unended = [f"{alert.finding.kind} {alert.finding.subject}" for alert in state.alerts.values()]
    rules = read_rules()
    for episode in episodes:
        rule = rules.rule_for(episode.finding)
        assert rule
        for channel in rules.severities[rule.severity].to:
            heard = [
                one
                for one in outcome.arrivals
                if (one.channel, one.fingerprint) == (channel, episode.finding.fingerprint)
            ]
            if not _is_told(episode.finding.since, heard):
                outcome.untold.append(
                    f"{channel} of {episode.finding.kind} {episode.finding.subject} at {episode.finding.since}"
                )
    return outcome


class _World:
    """The receivers, and the sensor that sends to them and dies over it."""

    def __init__(
        self,
        chance: random.Random,
        receiver: Receiver,
        home: Path,
        outages: list[Outage],
        outcome: Outcome,
        told: Callable[..., State],
    ) -> None:
        self.chance, self.outages, self.outcome = chance, outages, outcome
        self.now, self.is_hostile = _BEGIN, True
        self.arrived: list[Arrival] = []
        receiver.is_down = lambda host: self._outage(_channel(host)) is False
        receiver.taken, receiver.answered = self._taken, self._answered
        addresses = {_PAGER: f"pagerduty://{'k' * 32}@tieout", _HOOK: f"json://127.0.0.1:{receiver.port}/hook"}
        context = multiprocessing.get_context("spawn")
        self.listener = Listener()
        self.nursery, there = context.Pipe()
        arguments = (there, self.listener.address, home, addresses, receiver.environment, told)
        self.parent = context.Process(target=_nursery, args=arguments, daemon=True)
        self.parent.start()
        self.pid, self.steps = self._sensor()

    def step(self, now: datetime, findings: list[Finding], is_hostile: bool) -> None:
        """One evaluation, to its end or to its death."""
        self.now, self.is_hostile = now, is_hostile
        before = len(self.outcome.arrivals)
        self.steps.send((now, msgspec.json.encode(findings)))
        is_late = is_hostile and self.chance.random() < 0.1
        if is_late and not self.steps.poll(self.chance.uniform(0, _LONGEST_EVALUATION)):
            os.kill(self.pid, signal.SIGKILL)
            self.outcome.kills["at a moment of no choice"] += 1
        try:
            self.steps.recv()
        except (EOFError, ConnectionResetError):
            assert self.nursery.recv() == signal.SIGKILL, "the evaluation failed: its traceback is above"
            if is_late:
                self.outcome.excused.update(map(_text, self.outcome.arrivals[before:]))
            self.pid, self.steps = self._sensor()

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.parent.kill()
        self.parent.join()
        self.listener.close()

    def _sensor(self) -> tuple[int, Connection]:
        self.nursery.send(None)
        steps = self.listener.accept()
        return steps.recv(), steps

    def _outage(self, channel: str) -> bool | None:
        """Whether the channel's receiver takes messages without an answer now; None when it is well."""
        return next((one.takes for one in self.outages if one.channel == channel and one.is_at(self.now)), None)

    def _taken(self, received: Received) -> bool:
        self.arrived = _read(received, self.now, self.outcome.arrivals)
        self.outcome.arrivals += self.arrived
        if self._outage(_channel(received.host)):
            self.outcome.excused.update(map(_text, self.arrived))
            return False
        return not self._kills("before the answer")

    def _answered(self, received: Received) -> None:
        self._kills("after the answer")

    def _kills(self, when: str) -> bool:
        """Over what has just arrived, one time in five."""
        if not self.is_hostile or self.chance.random() > 0.2:
            return False
        os.kill(self.pid, signal.SIGKILL)
        self.outcome.kills[when] += 1
        self.outcome.excused.update(map(_text, self.arrived))
        return True


def _nursery(
    begin: Connection,
    listener: str,
    home: Path,
    addresses: Mapping[str, str],
    environment: Mapping[str, str],
    told: Callable[..., State],
) -> NoReturn:
    """Sensors are forked from here, where imports are done, which take longer than all the rest, and no other thread runs."""
    os.environ.update(environment)
    channels, rules = {name: Secret(url) for name, url in addresses.items()}, read_rules()
    with dg.DagsterInstance.from_config(str(home)) as instance:
        recall(instance)
    Apprise.instantiate(addresses[_HOOK])
    while True:
        begin.recv()
        if (pid := os.fork()) == 0:
            with dg.DagsterInstance.from_config(str(home)) as instance, Client(listener) as steps:
                steps.send(os.getpid())
                while True:
                    now, findings = steps.recv()
                    told(instance, msgspec.json.decode(findings, type=list[Finding]), rules, channels, now)
                    steps.send(None)
        _, status = os.waitpid(pid, 0)
        begin.send(os.WTERMSIG(status))


def _episodes(chance: random.Random, kind: Kind, subject: str, level: str | None, end: datetime) -> list[Episode]:
    """Long and short ones, some so soon after one another that they are one alert."""
    found, since = [], _BEGIN + timedelta(hours=chance.uniform(0, 4))
    while (until := since + timedelta(hours=chance.choice([0.3, 1, 3, 9]))) < end:
        since = since.replace(second=0, microsecond=0)
        finding = Finding(kind=kind, subject=subject, what="it is wrong", remedy="mend it", since=since, level=level)
        found.append(Episode(finding, until))
        since = until + timedelta(hours=chance.choice([0.2, 1, 2, 6]))
    return found


def _outages(chance: random.Random, end: datetime) -> list[Outage]:
    """One every two to five hours, of each channel by itself."""
    found = []
    for channel in (_PAGER, _HOOK):
        at = _BEGIN + timedelta(hours=chance.uniform(0, 2))
        while at + _HOUR < end:
            found.append(Outage(channel, at, takes=chance.random() < 0.4))
            at += timedelta(hours=chance.uniform(2, 5))
    return found


def _wrong(episodes: list[Episode], now: datetime) -> list[Finding]:
    return [one.finding for one in episodes if one.finding.since <= now < one.until]


def _is_told(since: datetime, heard: list[Arrival]) -> bool:
    """Whether the channel knew of it when it began, or heard later that it had begun by then."""
    before = [one for one in heard if one.at < since]
    later = [one for one in heard if one.at >= since and one.since <= since]
    return bool(later) or bool(before and not before[-1].is_over)


def _channel(host: str) -> str:
    return _PAGER if "pagerduty" in host else _HOOK


def _read(received: Received, now: datetime, before: list[Arrival]) -> list[Arrival]:
    """What a request says of each of its alerts. A resolved incident is a key and no more: it ends what was triggered last."""
    payload = received.payload
    if _channel(received.host) == _HOOK:
        return [
            Arrival(
                _HOOK,
                one["fingerprint"],
                datetime.fromisoformat(one["since"]),
                one["message"],
                one["news"] in ("over", "missed"),
                now,
            )
            for one in payload["alerts"]
        ]
    key = payload["dedup_key"]
    if payload["event_action"] == "resolve":
        last = next(one for one in reversed(before) if (one.channel, one.fingerprint) == (_PAGER, key))
        return [replace(last, is_over=True, at=now)]
    details = payload["payload"]["custom_details"]
    since = datetime.strptime(details["Since"][:16], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return [Arrival(_PAGER, key, since, int(details["Alert"].rpartition(" ")[2]), False, now)]


def _text(arrival: Arrival) -> tuple[object, ...]:
    return arrival.channel, arrival.fingerprint, arrival.since, arrival.number, arrival.is_over


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.alerts", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--hours", type=int, default=72)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tieout-alerts-") as folder:
        outcome = simulate(Path(folder), arguments.seed, arguments.hours * _HOUR // _STEP)
    for sentence in (*outcome.untold, *outcome.unended, *outcome.twice):
        sys.stderr.write(f"{sentence}\n")
    killed = ", ".join(f"{times} {when}" for when, times in sorted(outcome.kills.items()))
    sys.stdout.write(
        f"alert-test: {outcome.outages} outages of an hour, {outcome.kills.total()} kills ({killed}), {outcome.episodes} alerts, "
        f"{len(outcome.arrivals)} messages: {len(outcome.untold)} never told (target 0), {len(outcome.unended)} never taken back "
        f"(target 0), {len(outcome.twice)} twice for no kill or lost answer (target 0), the same one {outcome.most} times "
        f"(target below 40), seed {arguments.seed}\n"
    )
    return 0 if outcome.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
