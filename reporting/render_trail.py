"""The money trail as a picture in the terminal, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from reporting.render import exactly, plain
from reporting.trail import Trail

_WIDTH = 44
_STEPS = (
    ("metered", "metered_amount", (("not rated", "metered_not_rated_amount"),)),
    (
        "rated",
        "rated_amount",
        (
            ("paid by credit", "credits_applied_amount"),
            ("tax", "tax_amount"),
            ("not invoiced", "rated_not_invoiced_amount"),
        ),
    ),
    ("invoiced", "invoiced_amount", (("not collected", "invoiced_not_collected_amount"),)),
    (
        "collected",
        "collected_amount",
        (
            ("paid in advance", "topped_up_amount"),
            ("refunded", "refunded_amount"),
            ("disputed", "disputed_amount"),
            ("fees", "fee_amount"),
            ("not settled", "collected_not_settled_amount"),
        ),
    ),
    ("settled", "settled_amount", (("not at the bank", "settled_not_banked_amount"),)),
    ("banked", "banked_amount", ()),
    ("recognised", "recognised_amount", (("of what was rated, not recognised", "rated_not_recognised_amount"),)),
)
_ADDS = {"tax", "paid in advance"}


def render_trail(trails: Sequence[Trail], exponents: Mapping[str, int], console: Console) -> None:
    """A bar a step, and under it what comes to it or falls off before the next."""
    for found in trails:
        console.print(Text(f"\n {found.customer_id}, {found.period}, {found.currency}\n", "bold"))
        largest = max([abs(getattr(found, name)) for _, name, _ in _STEPS] + [Decimal(1)])
        for step, name, between in _STEPS:
            amount = getattr(found, name)
            (written,) = exactly([amount], found.currency, exponents)
            bar = "█" * round(_WIDTH * max(amount, Decimal(0)) / largest)
            colour = "green" if step in ("banked", "recognised") else "cyan"
            console.print(Text.assemble(f" {step:<11}", f"{written:>18}  ", (bar, colour)))
            for what, part in between:
                moved = getattr(found, part)
                if moved:
                    (written,) = exactly([moved if what in _ADDS else -moved], found.currency, exponents)
                    console.print(Text(f"   {what:<32}{written:>20}", "dim"), soft_wrap=True)


def trail_to_json(trails: Sequence[Trail]) -> str:
    """Amounts as strings, digit for digit."""
    return json.dumps([asdict(found) for found in trails], default=plain, indent=2)


def trail_to_csv(trails: Sequence[Trail]) -> str:
    """A row a currency."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Trail)]
    writer.writerow(names)
    for found in trails:
        values = (getattr(found, name) for name in names)
        writer.writerow(plain(value) if isinstance(value, Decimal) else value for value in values)
    return text.getvalue()
