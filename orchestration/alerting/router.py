"""Decides who is to be told what now. Knows no Dagster and no network: findings, rules, state and moment in, messages out.

Nothing is queued: what is due follows from what is wrong and what a channel has been told, so that a message that was lost is due
again and one that arrived is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from orchestration.alerting.finding import Finding
from orchestration.alerting.rules import Rule, Rules, Severity, span

_LONGEST_PAUSE = timedelta(minutes=10)


class News(StrEnum):
    """Why a channel is told of an alert: it is new, more is affected or it is louder, it lasts, it is over, or it came and went
    before anybody could be told."""

    NEW = "new"
    WORSE = "worse"
    STILL = "still"
    OVER = "over"
    MISSED = "missed"


class Told(msgspec.Struct, frozen=True):
    """What a channel was last told of an alert, how often it has been told in all, and how loudly."""

    at: datetime
    news: News
    severity: str
    parts: tuple[str, ...]
    times: int


class Alert(msgspec.Struct, frozen=True):
    """A finding under its rule, from when it was first found to when everybody who is told of it knows that it is over. `since`
    is when it began, which may be long before."""

    finding: Finding
    severity: str
    owner: str
    since: datetime
    found_at: datetime
    over_at: datetime | None = None
    told: dict[str, Told] = {}


class Trouble(msgspec.Struct, frozen=True):
    """A channel that could not be reached: how often in a row, why, and from when on it is tried again."""

    failures: int
    reason: str
    again_at: datetime


class State(msgspec.Struct, frozen=True):
    """What survives a restart: alerts by fingerprint, channels in trouble, and the last run that the heartbeat told of."""

    alerts: dict[str, Alert] = {}
    troubles: dict[str, Trouble] = {}
    heard_run: str = ""


class Message(msgspec.Struct, frozen=True):
    """What one channel is to be told at once, the loudest first."""

    channel: str
    news: tuple[tuple[News, Alert], ...]


def advance(state: State, findings: Iterable[Finding], rules: Rules, now: datetime) -> State:
    """The state with what is new, what has changed, and what is not wrong any more."""
    ruled = [(finding, rule) for finding in findings if (rule := rules.rule_for(finding))]
    alerts = {
        finding.fingerprint: _seen(state.alerts.get(finding.fingerprint), finding, rule, now)
        for finding, rule in ruled
        # A consequence starts no alert of its own; one that it has already goes on, and is silent.
        if finding.explained_by is None or finding.fingerprint in state.alerts
    }
    for fingerprint, alert in state.alerts.items():
        if fingerprint not in alerts:
            alerts[fingerprint] = msgspec.structs.replace(alert, over_at=alert.over_at or now)
    return msgspec.structs.replace(state, alerts=alerts)


def due(state: State, rules: Rules, channels: Mapping[str, int], now: datetime) -> list[Message]:
    """What each of the channels that can be tried now is to be told; `channels` says of how many alerts a message may be."""
    messages = []
    for channel, most in channels.items():
        if (trouble := state.troubles.get(channel)) and now < trouble.again_at:
            continue
        news = [
            (said, alert) for alert in state.alerts.values() if (said := _news(alert, channel, rules, now)) is not None
        ]
        loudness = list(rules.severities)
        news.sort(key=lambda one: (loudness.index(one[1].severity), one[1].since))
        messages += [Message(channel, tuple(news[at : at + most])) for at in range(0, len(news), most)]
    return messages


def delivered(state: State, message: Message, now: datetime) -> State:
    """The message has arrived."""
    alerts = dict(state.alerts)
    for news, alert in message.news:
        before = alert.told.get(message.channel)
        told = Told(now, news, alert.severity, alert.finding.parts, (before.times if before else 0) + 1)
        current = alerts[alert.finding.fingerprint]
        alerts[alert.finding.fingerprint] = msgspec.structs.replace(
            current, told={**current.told, message.channel: told}
        )
    troubles = {channel: trouble for channel, trouble in state.troubles.items() if channel != message.channel}
    return msgspec.structs.replace(state, alerts=alerts, troubles=troubles)


def refused(state: State, channel: str, reason: str, now: datetime) -> State:
    """The channel could not be reached. It is left alone for twice as long each time: what it took without an answer arrives
    again with every attempt."""
    failures = state.troubles[channel].failures + 1 if channel in state.troubles else 1
    pause = min(timedelta(seconds=30) * 2**failures, _LONGEST_PAUSE)
    return msgspec.structs.replace(state, troubles={**state.troubles, channel: Trouble(failures, reason, now + pause)})


def settled(state: State, rules: Rules, channels: Iterable[str]) -> State:
    """The state without the alerts that are over and that nobody waits to hear of."""
    reached = set(channels)
    return msgspec.structs.replace(
        state,
        alerts={
            fingerprint: alert
            for fingerprint, alert in state.alerts.items()
            if alert.over_at is None
            or any(_is_open(alert.told.get(channel)) for channel in _listeners(alert, rules) & reached)
        },
    )


def _seen(alert: Alert | None, finding: Finding, rule: Rule, now: datetime) -> Alert:
    owner = finding.owner or rule.owner
    if alert is None or (alert.over_at and not all(map(_is_open, alert.told.values()))):
        # Somebody has heard that it was over: it is another one, that those hear of who have not.
        return Alert(finding, rule.severity, owner, finding.since, now, told=alert.told if alert else {})
    return Alert(finding, rule.severity, owner, min(alert.since, finding.since), alert.found_at, told=alert.told)


def _news(alert: Alert, channel: str, rules: Rules, now: datetime) -> News | None:
    """Why the channel is to be told of the alert now, if it is."""
    told, severity = alert.told.get(channel), rules.severities[alert.severity]
    if channel not in _listeners(alert, rules):
        return None
    if alert.over_at:
        if not _is_open(told) or now < alert.over_at + span(rules.over_after):
            return None
        # What was said loudly is taken back as loudly.
        said = rules.severities.get(told.severity, severity) if told else severity
        return (News.OVER if told else News.MISSED) if _is_time(said, told, alert.over_at, rules, now) else None
    if alert.finding.explained_by or channel not in severity.to:
        return None
    if told is None or not _is_open(told):
        return News.NEW if _is_time(severity, told, alert.found_at, rules, now) else None
    is_louder = list(rules.severities).index(alert.severity) < _loudness(told.severity, rules)
    if is_louder or not set(alert.finding.parts) <= set(told.parts):
        return News.WORSE if _is_time(severity, told, alert.found_at, rules, now) else None
    if severity.again_after and now < told.at + span(severity.again_after):
        return None
    return News.STILL if _is_time(severity, told, alert.found_at, rules, now) else None


def _is_time(severity: Severity, told: Told | None, since: datetime, rules: Rules, now: datetime) -> bool:
    """Whether the severity lets anything through now: at its digest, or outside the quiet hours."""
    if severity.digest_at:
        return max(told.at if told else since, since) < rules.last_digest(severity, now)
    return severity.in_quiet_hours or not rules.is_quiet(now)


def _listeners(alert: Alert, rules: Rules) -> set[str]:
    """Who is told of it, and who was told of it when it was louder."""
    return {*rules.severities[alert.severity].to, *alert.told}


def _is_open(told: Told | None) -> bool:
    """Whether, for all that the channel knows, the alert has not been heard of to its end."""
    return told is None or told.news not in (News.OVER, News.MISSED)


def _loudness(severity: str, rules: Rules) -> int:
    names = list(rules.severities)
    return names.index(severity) if severity in names else len(names)
