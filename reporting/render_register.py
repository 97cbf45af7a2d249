"""Breaks as people and programs read them: a list, or one of them with everything that is known of it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date
from decimal import Decimal

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from reporting.register import Break, Explanation, Register
from reporting.render import exactly, plain, table

_SHORT = 8
"""Characters of a break's id that tell it from the others; `tieout explain` takes as many."""


def render_register(register: Register, console: Console) -> None:
    """A line a break, made for 120 columns."""
    if not register.breaks:
        console.print("No breaks.")
        return
    listing = table("break", "cause", "state", "#days", "customer", "period", "#difference", "in", "left", "right")
    for one in register.breaks:
        (difference,) = exactly([one.difference], one.currency, register.exponents)
        listing.add_row(
            one.break_id[:_SHORT],
            Text(one.cause, "bold red" if one.cause == "unexplained" else ""),
            one.state if one.status == "break" else "timing",
            str(one.age_days),
            one.customer_id or "",
            one.period,
            difference,
            one.currency,
            one.left_ref or "",
            one.right_ref or "",
        )
    console.print(listing)


def render_explanation(told: Explanation, exponents: Mapping[str, int], console: Console) -> None:
    """One break, from what happened down to the payloads."""
    one = told.found
    left, right, difference, first = exactly(
        (one.left_amount, one.right_amount, one.difference, one.first_difference), one.currency, exponents
    )
    console.print(Panel(Text(told.meaning, "bold"), border_style="red" if one.state == "open" else "green"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    for name, value in (
        ("break", f"{one.break_id}  {one.cause}, {one.hop}"),
        ("customer", f"{one.customer_id or 'none'}, {one.period}"),
        ("left", f"{left} {one.currency}  {one.left_ref or 'nothing'}"),
        ("right", f"{right} {one.right_currency}  {one.right_ref or 'nothing'}"),
        ("difference", f"{difference} {one.currency}" + (f", {first} when first seen" if first != difference else "")),
        ("brought together", one.match_rule or "by no rule: one side is missing"),
        ("rules", f"{one.comparison}, version {one.rule_version[:_SHORT]}, tolerance {plain(one.tolerance)}"),
        ("state", _state(one)),
        ("seen", f"{one.first_seen_at:%Y-%m-%d %H:%M} to {one.last_seen_at:%Y-%m-%d %H:%M} UTC, {one.age_days} days"),
        *((f"  {name}", str(value)) for name, value in json.loads(one.evidence).items() if value is not None),
    ):
        facts.add_row(name, value)
    console.print(facts)
    console.print(Text("\nWhat to do", "bold"), Padding(told.remedy, (0, 2)))
    if told.events:
        console.print(Text("\nThe events behind it", "bold"))
        listing = table("event", "#product", "#Orb", "confidence")
        for event in told.events:
            here, there = exactly((event.left_amount, event.right_amount), one.currency, exponents)
            listing.add_row(event.event_id or "only in Orb", here, there, event.confidence)
        console.print(listing)
    if told.consequences:
        console.print(Text("\nWhat it caused", "bold"))
        listing = table("hop", "object", "id", "#amount", "in")
        for step in told.consequences:
            (amount,) = exactly([step.amount], step.currency, exponents)
            listing.add_row(step.hop, step.object_kind, step.object_id, amount, step.currency)
        console.print(listing)
    for side, reference, batch, payload in (
        ("Left", one.left_ref, one.left_batch_id, told.left_payload),
        ("Right", one.right_ref, one.right_batch_id, told.right_payload),
    ):
        if payload:
            console.print(Text(f"\n{side}: {reference}, as its source sent it in batch {batch}", "bold"))
            console.print(Syntax(payload, "json", background_color="default", word_wrap=True))


def _state(one: Break) -> str:
    if one.state == "accepted":
        return f"accepted by {one.owner} until {one.resolution_expires_on}: {one.resolution} ({one.resolution_reason})"
    if one.resolved_at:
        return f"resolved {one.resolved_at:%Y-%m-%d %H:%M} UTC"
    again = f", reopened {one.times_reopened} times" if one.times_reopened else ""
    return (one.state if one.status == "break" else "timing: clears by itself") + again


def register_to_json(register: Register) -> str:
    """Every column of every break; amounts as strings, digit for digit."""
    return json.dumps([asdict(one) for one in register.breaks], default=_plain, indent=2)


def register_to_csv(register: Register) -> str:
    """A row a break, every column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Break))
    for one in register.breaks:
        values = (getattr(one, field.name) for field in fields(Break))
        writer.writerow(_plain(value) if isinstance(value, Decimal | date) else value for value in values)
    return text.getvalue()


def explanation_to_json(told: Explanation) -> str:
    """As `register_to_json`, with meaning, remedy, consequences and payloads."""
    return json.dumps(asdict(told), default=_plain, indent=2)


def explanation_to_csv(told: Explanation) -> str:
    """What the break caused, a row a step; the first one is the break itself."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("hop", "object_kind", "object_id", "currency", "amount"))
    one = told.found
    writer.writerow((one.hop, one.cause, one.match_key, one.currency, plain(one.difference)))
    for step in told.consequences:
        writer.writerow((step.hop, step.object_kind, step.object_id, step.currency, plain(step.amount)))
    return text.getvalue()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else plain(value)
