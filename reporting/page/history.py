"""How quality went from day to day."""

from __future__ import annotations

from collections.abc import Sequence

from reporting.page.charts import Chart, Column, by_day
from reporting.page.quality import Checks, Day, Quality


def charts(quality: Quality) -> tuple[Chart, ...]:
    """What was open at each day's end, what came and went, and what came of the checks; each only where there is any."""
    return (
        *(_of_breaks(quality.days) if quality.days else ()),
        *([_of_checks(quality.checks)] if quality.checks else ()),
    )


def _of_breaks(days: Sequence[Day]) -> tuple[Chart, Chart]:
    first, last = days[0].day, days[-1]
    worst = max(days, key=lambda day: day.money + day.usage)
    found, resolved = sum(day.found for day in days), sum(day.resolved for day in days)
    return (
        by_day(
            "Open breaks at each day's end",
            [Column(day.day, (("total", day.money), ("rise", day.usage))) for day in days],
            f"{last.money:,} in money and {last.usage:,} in usage on {last.day}; since {first} at most "
            f"{worst.money + worst.usage:,} in all, on {worst.day}",
        ),
        by_day(
            "Breaks that came and breaks that went",
            [Column(day.day, (("fall", day.found), ("good", day.resolved))) for day in days],
            f"{found:,} came and {resolved:,} went from {first} to {last.day}",
        ),
    )


def _of_checks(days: Sequence[Checks]) -> Chart:
    last, worst = days[-1], max(days, key=lambda day: day.warned + day.failed)
    return by_day(
        "Checks that did not hold in each day's last run",
        [Column(day.day, (("warn", day.warned), ("unexplained", day.failed))) for day in days],
        f"{last.warned:,} warned and {last.failed:,} failed on {last.day}, {last.held:,} held; since {days[0].day} at most "
        f"{worst.warned + worst.failed:,} did not, on {worst.day}",
    )
