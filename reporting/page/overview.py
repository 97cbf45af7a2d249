"""What is read first: the figures of the whole report, and how each hop stands."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

from reporting.render import worth, written
from reporting.report import HOPS, Report

ASKED = {
    "metered": "Does Orb have what the product counted?",
    "rated": "Does Orb charge for it what was agreed?",
    "credits": "Is prepaid credit granted, drawn and expired as it was paid for?",
    "invoiced": "Does Stripe have the invoices that Orb issued?",
    "collected": "Was what is invoiced paid, and nothing else?",
    "settled": "Does Stripe pay out what it collected?",
    "banked": "Did the payouts reach the bank?",
    "identity": "Is a customer the same one in every system?",
    "recognised": "Do the books say what the sources say?",
}


class Tile(NamedTuple):
    """A figure, a word on it, and how that stands: `tied`, `open`, or neither."""

    title: str
    amounts: tuple[str, ...]
    note: str
    state: str = ""


class Hop(NamedTuple):
    """A hop, what it asks, and the answer, which is `tied`, `explained` or `open`."""

    name: str
    asked: str
    state: str
    told: str


def state_of(report: Report) -> str:
    """`open` while anything is unexplained, `explained` while there are breaks, else `tied`."""
    return "open" if report.unexplained else "explained" if report.breaks else "tied"


def tiles(report: Report) -> tuple[Tile, ...]:
    """Five figures."""
    usage = sum(group.count for group in report.breaks if group.hop == "metered")
    money = sum(group.count for group in report.breaks) - usage
    timing = sum(group.count for group in report.timing)
    unexplained = tuple(f"{written(amount, unit, report)} {unit}" for _, unit, amount in report.unexplained)
    least = report.held_back_by
    at = least.certified_through and least.certified_through.astimezone(UTC)
    through, time = (f"{at:%Y-%m-%d}", f"{at:%H:%M} UTC, ") if at else ("never", "")
    return (
        Tile(
            "Unexplained",
            unexplained or ("nothing",),
            "the figure that has to be nothing",
            "open" if unexplained else "tied",
        ),
        Tile("Breaks in money", (f"{money:,}",), worth(report.breaks, report) or "every amount agrees"),
        Tile("Breaks in usage", (f"{usage:,}",), "between the product and Orb" if usage else "every event agrees"),
        Tile("Clears by itself", (f"{timing:,}",), worth(report.timing, report) or "no money is under way"),
        Tile("Certified through", (through,), f"{time}held back by {least.stream}"),
    )


def hops(report: Report) -> tuple[Hop, ...]:
    """Those that were compared, in the order of the pipeline."""
    compared = {tie.hop for tie in report.ties}
    unexplained = {hop for hop, *_ in report.unexplained}
    found = []
    for hop in (each for each in HOPS if each in compared):
        count = sum(group.count for group in report.breaks if group.hop == hop)
        told = f"{count:,} break{'s' if count > 1 else ''}" if count else "ties"
        if hop in unexplained:
            found.append(Hop(hop, ASKED[hop], "open", f"{told}, not all explained" if count else "does not tie"))
        else:
            found.append(Hop(hop, ASKED[hop], "explained" if count else "tied", told))
    return tuple(found)
