"""How far each stream is certified against its source, and what stands against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from reporting.page.charts import Bar, Chart, bars
from reporting.report import Report, Standing

SOURCES = {"app": "Product database", "orb": "Orb", "stripe": "Stripe", "bank": "Bank"}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Stream(NamedTuple):
    """A stream, through when it is certified, whether all of it is there (`tied`) or not (`open`), and why."""

    name: str
    through: str
    state: str
    note: str


class Source(NamedTuple):
    """A source with its streams."""

    name: str
    note: str
    streams: tuple[Stream, ...]


def lag(report: Report) -> Chart:
    """Of each source the stream that is certified least far, and how far behind the one that is certified furthest."""
    newest = _newest(report)
    rows = []
    for source, name in SOURCES.items():
        own = [each for each in report.streams if each.stream.startswith(f"{source}.") and not each.is_looked_up]
        if own:
            least = min(own, key=_through)
            behind = newest - _through(least) if least.certified_through else timedelta()
            told = _ago(behind) if least.certified_through else "not certified"
            seconds = Decimal(int(behind.total_seconds()))
            rows.append(Bar(f"{name}: {least.stream.partition('.')[2]}", told, (("bar", seconds),)))
    hour = Decimal(int(_HOUR.total_seconds()))
    return bars("The last stream of each source, and how far it is behind the newest of all", rows, hour)


def sources(report: Report) -> tuple[Source, ...]:
    """Every stream, source by source."""
    newest = _newest(report)
    found = []
    for source, own in groupby(report.streams, key=lambda each: each.stream.partition(".")[0]):
        streams = tuple(_stream(each, newest) for each in own)
        sound = sum(stream.state == "tied" for stream in streams)
        found.append(Source(SOURCES.get(source, source), f"{sound} of {len(streams)} streams complete", streams))
    return tuple(found)


def _stream(each: Standing, newest: datetime) -> Stream:
    against = []
    if each.certified_through is None:
        against += [] if each.is_looked_up else ["not certified"]
    elif newest - _through(each) >= _DAY:
        against.append(_ago(newest - _through(each)))
    if each.differing_days:
        against.append(f"{each.differing_days:,} day{'s differ' if each.differing_days > 1 else ' differs'}")
    if each.rejected_objects:
        against.append(f"{each.rejected_objects:,} in quarantine")
    through = f"{_through(each):%Y-%m-%d %H:%M}" if each.certified_through else "-"
    note = ", ".join(against) or ("looked up as needed" if each.is_looked_up else "complete")
    return Stream(each.stream.partition(".")[2], through, "open" if against else "tied", note)


def _newest(report: Report) -> datetime:
    return max(map(_through, report.streams), default=_NEVER)


def _through(each: Standing) -> datetime:
    return each.certified_through.astimezone(UTC) if each.certified_through else _NEVER


def _ago(behind: timedelta) -> str:
    if behind >= _DAY:
        return f"{behind.days:,} day{'s' if behind.days > 1 else ''} behind"
    if behind >= _HOUR:
        return f"{behind // _HOUR} h behind"
    return f"{behind // _MINUTE} min behind" if behind >= _MINUTE else "up to date"
