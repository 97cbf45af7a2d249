"""The report as people and programs read it: in the terminal, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reporting.report import BreakGroup, Report, Tie

NAMES = {"app": "app", "orb": "Orb", "stripe": "Stripe", "paid": "paid", "bank": "bank", "payouts": "payouts"}


def verdict(report: Report) -> str:
    """The whole report in one sentence, or two."""
    scope = f" in {report.period}" if report.period else ""
    if report.unexplained:
        amounts = _listed(f"{written(each, unit, report)} {unit} ({hop})" for hop, unit, each in report.unexplained)
        return f"It does not tie{scope}: {amounts} unexplained."
    transit = worth(report.timing, report)
    timing = f" {transit} in timing will clear by itself." if transit else ""
    if not report.breaks:
        return f"Everything ties{scope}: no breaks, nothing unexplained.{timing}"
    count = sum(group.count for group in report.breaks)
    usage = sum(group.count for group in report.breaks if group.hop == "metered")
    parts = [f"{count - usage} in money, worth {worth(report.breaks, report)}"] if count > usage else []
    parts += [f"{usage} in metered usage"] if usage else []
    return f"{count} break{'s' if count > 1 else ''}{scope}: {'; '.join(parts)}. Nothing is unexplained.{timing}"


def worth(groups: Iterable[BreakGroup], report: Report) -> str:
    """What the groups are worth in each currency; metered quantities are no money and left out."""
    money: dict[str, Decimal] = {}
    for group in groups:
        if group.hop != "metered" and group.count:
            money[group.currency] = money.get(group.currency, Decimal(0)) + group.worth
    return _listed(f"{written(amount, currency, report)} {currency}" for currency, amount in sorted(money.items()))


def certified(report: Report) -> str:
    """How far the books can be complete, in one sentence, or two when something is in quarantine."""
    least = report.held_back_by
    at, days = least.certified_through, least.differing_days
    through = f"Certified through {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "Not certified"
    differs = f", which differs from its source on {days:,} day{'s' if days > 1 else ''}" if days else ""
    rejected = [(each.stream, each.rejected_objects) for each in report.streams if each.rejected_objects]
    kept_apart = _listed(f"{count:,} of {stream}" for stream, count in rejected)
    quarantine = f" In quarantine, for nobody could understand it: {kept_apart}." if rejected else ""
    return f"{through}; held back by {least.stream}{differs}.{quarantine}"


def render(report: Report, console: Console) -> None:
    """Writes the report to `console`, made for 100 columns."""
    colour = "red" if report.unexplained else "green"
    console.print(Panel(Text(verdict(report), "bold"), border_style=colour, padding=(0, 1)))
    console.print(Padding(certified(report), (0, 2)), "")
    periods = report.period or " to ".join(dict.fromkeys((report.periods[0], report.periods[-1])))
    _heading(console, f"What ties, {periods}", "from left to right: total + explained + unexplained = total")
    for comparison, ties in groupby(report.ties, key=lambda tie: tie.comparison):
        console.print(_tie_table(comparison, ties, report), "")
    for title, note, groups in (
        ("Breaks by cause", "worth adds absolute amounts, so that no two cancel", report.breaks),
        ("Timing", "clears by itself, not counted as breaks", report.timing),
    ):
        if groups:
            _heading(console, title, note)
            console.print(_break_table(groups, report), "")
    if report.excluded:
        _heading(console, "Kept out, in all periods", "test rows of every total, internal accounts of revenue")
        console.print(_excluded_table(report))


def _heading(console: Console, title: str, note: str) -> None:
    console.print(Text.assemble((" " + title, "bold"), (f"   {note}", "dim")))


def _tie_table(comparison: str, ties: Iterable[Tie], report: Report) -> Table:
    """The columns are the systems compared; the widths are fixed so that one comparison stands under the other."""
    hop, left_side, right_side = sides(comparison)
    table = Table(box=SIMPLE_HEAD, show_edge=False, header_style="dim")
    table.add_column(Text(hop, "not dim bold"), width=14)
    for header, width in ((left_side, 19), ("explained", 17), ("unexplained", 12), (right_side, 19)):
        table.add_column(header, justify="right", width=width, no_wrap=True, overflow="fold")
    table.add_column(width=1)
    for tie in ties:
        amounts = (tie.left_total, tie.explained, tie.unexplained, tie.right_total)
        left, explained, unexplained, right = exactly(amounts, tie.currency, report.exponents)
        table.add_row(
            tie.currency,
            left,
            explained if tie.explained else Text("-", "dim"),
            Text(unexplained, "bold red") if tie.unexplained else Text("0", "green"),
            right,
            Text("✗", "bold red") if tie.unexplained else Text("✓", "green"),
        )
    return table


def sides(comparison: str) -> tuple[str, str, str]:
    """The hop of a comparison, and what its left and its right side are called."""
    hop, _, compared = comparison.partition("__")
    left, right = map(words, compared.split("_vs_"))
    return hop, left, right


def words(name: str) -> str:
    """A name of the marts as people write it."""
    return " ".join(NAMES.get(word, word) for word in name.split("_"))


def _break_table(groups: Iterable[BreakGroup], report: Report) -> Table:
    listing = table("hop", "cause", "#count", "#worth", "in", "#effect on right")
    above = ""
    for group in groups:
        worth, effect = exactly((group.worth, group.effect), group.currency, report.exponents)
        cause = Text(group.cause, "bold red" if group.cause == "unexplained" else "")
        hop = group.hop if group.hop != above else ""
        count, worth = (f"{group.count:,}", worth) if group.count else ("", "")
        listing.add_row(hop, cause, count, worth, group.currency, effect)
        above = group.hop
    return listing


def _excluded_table(report: Report) -> Table:
    listing = table("cause", "object", "#count", "#amount", "in")
    for group in report.excluded:
        amount = written(group.amount, group.currency, report) if group.currency else "-"
        listing.add_row(group.cause, f"{group.source} {group.stream}", f"{group.count:,}", amount, group.currency)
    return listing


def table(*columns: str) -> Table:
    """Columns that begin with # hold figures."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.lstrip("#"), justify="right" if column[0] == "#" else "left", no_wrap=True)
    return table


def exactly(amounts: Iterable[Decimal], currency: str, exponents: Mapping[str, int]) -> list[str]:
    """Amounts of one row with the same decimals: the currency's, none for a metric, more where a digit needs them."""
    exact = list(amounts)
    decimals = max([exponents.get(currency, 0), *(_decimals(amount) for amount in exact)])
    return [f"{amount:,.{decimals}f}" for amount in exact]


def written(amount: Decimal, currency: str, report: Report) -> str:
    """One amount with its currency's decimals, and more where a digit needs them."""
    return exactly([amount], currency, report.exponents)[0]


def _decimals(amount: Decimal) -> int:
    exponent = amount.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _listed(parts: Iterable[str]) -> str:
    *rest, last = list(parts) or [""]
    return f"{', '.join(rest)} and {last}" if rest else last


def to_json(report: Report) -> str:
    """The report with every amount as a string, digit for digit, since a JSON number would be read as a float."""
    content = {"verdict": verdict(report), "certified": certified(report), **asdict(report)}
    ties = [{**asdict(tie), "explained": tie.explained} for tie in report.ties]
    return json.dumps({**content, "ties": ties}, default=plain, indent=2)


def to_csv(report: Report) -> str:
    """One row per figure, for a spreadsheet: section (bridge, break, timing, excluded, certified, quarantine), what, count,
    amount. In section certified `line` is the moment through which the stream is, and `count` the days that differ."""
    rows: list[tuple[str, str, str, str, str, str, str]] = []
    for tie in report.ties:
        lines = [("left_total", tie.left_total), *((item.line, item.amount) for item in tie.items)]
        for line, amount in [*lines, ("unexplained", tie.unexplained), ("right_total", tie.right_total)]:
            rows.append(("bridge", tie.hop, tie.comparison, line, tie.currency, "", plain(amount)))
    for section, groups in (("break", report.breaks), ("timing", report.timing)):
        for group in groups:
            figures = (group.cause, group.currency, str(group.count), plain(group.worth))
            rows.append((section, group.hop, group.comparison, *figures))
    for kept_out in report.excluded:
        figures = (kept_out.cause, kept_out.currency or "", str(kept_out.count), plain(kept_out.amount))
        rows.append(("excluded", kept_out.source, kept_out.stream, *figures))
    for each in report.streams:
        source, _, stream = each.stream.partition(".")
        through = plain(each.certified_through) if each.certified_through else ""
        rows.append(("certified", source, stream, through, "", str(each.differing_days), ""))
        if each.rejected_objects:
            rows.append(("quarantine", source, stream, "", "", str(each.rejected_objects), ""))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("section", "hop_or_source", "comparison_or_stream", "line", "currency", "count", "amount"))
    writer.writerows(rows)
    return text.getvalue()


def plain(value: object) -> str:
    match value:
        case Decimal():
            return f"{value.normalize():f}"
        case datetime():
            return value.astimezone(UTC).isoformat()
    raise TypeError(f"{value!r} is neither an amount nor an instant")
