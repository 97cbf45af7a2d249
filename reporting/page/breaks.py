"""Breaks by cause and age: charts of what they are worth, and the terminal's tables with how old the oldest is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from reporting.page.charts import Bar, Chart, bars
from reporting.page.quality import AGES, Aged
from reporting.render import exactly, words, written
from reporting.report import BreakGroup, Report

_MOST_CAUSES = 10


class Ages(NamedTuple):
    """How many breaks of each age there are, in money and in usage, and what the former are worth in each currency."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


class Listed(NamedTuple):
    """A hop's groups with what the terminal writes of them (count, worth, effect), and the days of the oldest."""

    hop: str
    rows: tuple[tuple[BreakGroup, tuple[str, str, str, str]], ...]


def charts(aged: Sequence[Aged], report: Report) -> tuple[Chart, ...]:
    """How many breaks are how old, and a chart a currency: what those of each cause are worth, largest first, in parts by age."""
    counts = [sum(each.count for each in aged if each.status == "break" and each.age == age) for age in AGES]
    rows = [
        Bar(f"{age} days", f"{count:,}" if count else "none", ((f"age-{no}", Decimal(count)),))
        for no, (age, count) in enumerate(zip(AGES, counts, strict=True))
    ]
    money = [each for each in aged if each.status == "break" and each.hop != "metered" and each.worth]
    currencies = sorted({each.currency for each in money})
    return (
        bars("How many breaks are how old", rows),
        *(
            _by_cause([each for each in money if each.currency == currency], currency, report)
            for currency in currencies
        ),
    )


def _by_cause(aged: Sequence[Aged], currency: str, report: Report) -> Chart:
    causes: dict[str, list[Aged]] = {}
    for each in aged:
        causes.setdefault(words(each.cause), []).append(each)
    ranked = sorted(causes.items(), key=lambda cause: (-_worth(cause[1]), cause[0]))
    if rest := ranked[_MOST_CAUSES:]:
        ranked[_MOST_CAUSES:] = [(f"{len(rest)} more causes", [each for _, own in rest for each in own])]
    rows = [
        Bar(
            label,
            written(_worth(own), currency, report),
            tuple((f"age-{no}", _worth(each for each in own if each.age == age)) for no, age in enumerate(AGES)),
        )
        for label, own in ranked
    ]
    return bars(f"Worth by cause, {currency}", rows)


def ages(aged: Sequence[Aged], report: Report) -> Ages:
    """Those that are open, whatever their cause."""
    usage = [each for each in aged if each.status == "break" and each.hop == "metered"]
    money = [each for each in aged if each.status == "break" and each.hop != "metered"]
    currencies = sorted({each.currency for each in money})
    rows = []
    for age in AGES:
        cells = [f"{sum(each.count for each in kind if each.age == age):,}" for kind in (money, usage)]
        for currency in currencies:
            worth = _worth(each for each in money if each.age == age and each.currency == currency)
            cells.append(written(worth, currency, report))
        rows.append((f"{age} days", tuple(cells)))
    return Ages(("in money", "in usage", *currencies), tuple(rows))


def listed(groups: Iterable[BreakGroup], status: str, aged: Sequence[Aged], report: Report) -> tuple[Listed, ...]:
    """The groups of one status, hop by hop; one that stands in the other currency of its breaks has an effect only."""
    oldest: dict[tuple[str, str, str], int] = {}
    for each in aged:
        if each.status == status:
            key = (each.comparison, each.cause, each.currency)
            oldest[key] = max(each.oldest, oldest.get(key, 0))
    found = []
    for hop, own in groupby(groups, key=lambda group: group.hop):
        rows = []
        for group in own:
            worth, effect = exactly((group.worth, group.effect), group.currency, report.exponents)
            days = f"{oldest[group.comparison, group.cause, group.currency]:,}" if group.count else ""
            rows.append((group, (f"{group.count:,}", worth, effect, days) if group.count else ("", "", effect, "")))
        found.append(Listed(hop, tuple(rows)))
    return tuple(found)


def excluded(report: Report) -> tuple[tuple[str, str, str, str, str], ...]:
    """(cause, object, how many, amount, currency) of what was kept out."""
    return tuple(
        (
            words(group.cause),
            f"{group.source} {group.stream}",
            f"{group.count:,}",
            written(group.amount, group.currency, report) if group.currency else "-",
            group.currency or "",
        )
        for group in report.excluded
    )


def _worth(aged: Iterable[Aged]) -> Decimal:
    return sum((each.worth for each in aged), Decimal(0))
