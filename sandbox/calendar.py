"""The world's clock: whole seconds since 1970, days and months, all UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

HOUR = 3600
DAY = 86400
FIRST_DAY = date(2026, 7, 1)


def instant(day: date) -> int:
    """Seconds at the start of a day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def day_of(seconds: int) -> date:
    """The day an instant falls on."""
    return datetime.fromtimestamp(seconds, UTC).date()


def iso(seconds: int) -> str:
    """An instant as Orb writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def add_months(day: date, months: int) -> date:
    """The first of the month, `months` later."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def next_weekday(day: date) -> date:
    """The first Monday to Friday after a day: banks are closed at weekends."""
    later = day + timedelta(days=1)
    while later.weekday() >= 5:
        later += timedelta(days=1)
    return later


@dataclass(frozen=True)
class Calendar:
    """The window of a world: usage for whole months from 2026-07-01, then 20 days for the cash to come in."""

    months: int

    @property
    def first_day(self) -> date:
        return FIRST_DAY

    @property
    def usage_end(self) -> date:
        """The first day without usage."""
        return add_months(FIRST_DAY, self.months)

    @property
    def now(self) -> date:
        """The world's clock stands at the start of this day."""
        return self.usage_end + timedelta(days=19)

    @property
    def cash_end(self) -> date:
        """The last day of payments: later ones would still be on their way to the bank."""
        return self.now - timedelta(days=7)

    @property
    def usage_days(self) -> int:
        return (self.usage_end - self.first_day).days

    def month_starts(self) -> list[date]:
        """The first day of every month with usage."""
        return [add_months(FIRST_DAY, number) for number in range(self.months)]
