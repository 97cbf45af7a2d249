"""From one system's total to the other's, and from a customer's usage to the bank: waterfalls, and the table of all totals."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from reporting.page.charts import Chart, Step, waterfall
from reporting.page.overview import ASKED
from reporting.render import exactly, sides, words, written
from reporting.render_trail import walked
from reporting.report import Item, Report, Tie
from reporting.trail import Trail

_UNDER_WAY = ("timing", "within_tolerance")
_ALWAYS = (
    "metered__app_vs_orb",
    "rated__usage_vs_lines",
    "credits__wallet_vs_ledger",
    "invoiced__orb_vs_stripe",
    "collected__invoices_vs_payments",
    "settled__payouts_vs_transactions",
    "banked__payouts_vs_bank",
    "identity__app_vs_orb",
    "recognised__revenue_vs_journal",
)
"""The comparison that a hop is about, drawn even where nothing lies between its totals."""


class Bridge(NamedTuple):
    """A hop's waterfalls, a chart a currency: of the comparison that it is about, and of those that have anything between their
    totals; and which have nothing."""

    hop: str
    asked: str
    charts: tuple[Chart, ...]
    equal: tuple[str, ...]


class Totals(NamedTuple):
    """The ties of a comparison with what the terminal writes of them: left, explained, unexplained, right."""

    hop: str
    left: str
    right: str
    rows: tuple[tuple[Tie, tuple[str, str, str, str]], ...]


def bridges(report: Report) -> tuple[Bridge, ...]:
    """The whole bridge, hop by hop."""
    found = []
    for hop, ties in groupby(report.ties, key=lambda tie: tie.hop):
        charts: list[Chart] = []
        equal: dict[str, list[str]] = {}
        for tie in ties:
            if tie.comparison in _ALWAYS or tie.unexplained or any(item.amount for item in tie.items):
                charts.append(_bridge(tie, report))
            else:
                equal.setdefault(" and ".join(sides(tie.comparison)[1:]), []).append(tie.currency)
        told = (f"{both} ({', '.join(currencies)})" for both, currencies in equal.items())
        found.append(Bridge(hop, ASKED[hop], tuple(charts), tuple(told)))
    return tuple(found)


def _bridge(tie: Tie, report: Report) -> Chart:
    """The largest first, what is under way and what is unexplained last."""
    _, left, right = sides(tie.comparison)
    items = [item for item in tie.items if item.amount]
    items.sort(key=lambda item: (item.line in _UNDER_WAY, -abs(item.amount)))
    if tie.unexplained:
        items.append(Item("unexplained", tie.unexplained))
    amounts = (tie.left_total, *(item.amount for item in items), tie.right_total)
    first, *between, last = exactly(amounts, tie.currency, report.exponents)
    steps = [
        Step(left, tie.left_total, first, "total"),
        *(Step(words(item.line), item.amount, told, _colour(item)) for item, told in zip(items, between, strict=True)),
        Step(right, tie.right_total, last, "total"),
    ]
    return waterfall(f"{left} to {right}, {tie.currency}", steps)


def _colour(item: Item) -> str:
    if item.line == "unexplained":
        return "unexplained"
    return "timing" if item.line in _UNDER_WAY else _direction(item.amount)


def _direction(amount: Decimal) -> str:
    return "fall" if amount < 0 else "rise"


def totals(report: Report) -> tuple[Totals, ...]:
    """Every total, as the terminal has it."""
    found = []
    for comparison, ties in groupby(report.ties, key=lambda tie: tie.comparison):
        rows = []
        for tie in ties:
            amounts = (tie.left_total, tie.explained, tie.unexplained, tie.right_total)
            left, explained, unexplained, right = exactly(amounts, tie.currency, report.exponents)
            rows.append(
                (tie, (left, explained if tie.explained else "-", unexplained if tie.unexplained else "0", right))
            )
        found.append(Totals(*sides(comparison), tuple(rows)))
    return tuple(found)


def trail(found: Trail, report: Report) -> tuple[Chart, Chart]:
    """A customer's month from usage to the bank, and from what was rated to the books."""
    chain = []
    for each in walked(found):
        told = written(each.amount, found.currency, report)
        chain.append(Step(each.name, each.amount, told, "total" if each.is_step else _direction(each.amount)))
    labels = [step.label for step in chain]
    rated, recognised = chain[labels.index("rated")], labels.index("recognised")
    return (
        waterfall(f"From usage to the bank, {found.currency}", chain[:recognised]),
        waterfall(f"From usage to the books, {found.currency}", [rated, *chain[recognised + 1 :], chain[recognised]]),
    )
