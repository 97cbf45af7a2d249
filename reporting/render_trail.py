"""The money trail as a picture in the terminal, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from reporting.render import exactly, plain
from reporting.trail import Trail

_WIDTH = 44


@dataclass(frozen=True)
class _Between:
    """What lies between a step and the next: `falls` what falls off, `comes` what comes to it, by the amount's sign."""

    name: str
    falls: str
    comes: str
    is_added: bool = False


_STEPS = (
    ("metered", "metered_amount", (_Between("metered_not_rated_amount", "not rated", "rated beyond metered"),)),
    (
        "rated",
        "rated_amount",
        (
            _Between("credits_applied_amount", "paid by credit", "credit given back"),
            _Between("tax_amount", "tax given back", "tax", is_added=True),
            _Between("rated_not_invoiced_amount", "not invoiced", "invoiced beyond rated"),
        ),
    ),
    (
        "invoiced",
        "invoiced_amount",
        (_Between("invoiced_not_collected_amount", "not collected", "collected beyond invoiced"),),
    ),
    (
        "collected",
        "collected_amount",
        (
            _Between("topped_up_amount", "top-ups given back", "paid in advance", is_added=True),
            _Between("refunded_amount", "refunded", "refunds that came back"),
            _Between("disputed_amount", "disputed", "disputes won"),
            _Between("fee_amount", "fees", "fees given back"),
            _Between("collected_not_settled_amount", "not settled", "settled beyond collected"),
        ),
    ),
    (
        "settled",
        "settled_amount",
        (_Between("settled_not_banked_amount", "not at the bank", "at the bank beyond settled"),),
    ),
    ("banked", "banked_amount", ()),
    (
        "recognised",
        "recognised_amount",
        (_Between("rated_not_recognised_amount", "of what was rated, not recognised", "recognised beyond rated"),),
    ),
)


@dataclass(frozen=True)
class Walked:
    """A step of a trail, or what comes to it or falls off (`is_step` is false) before the next."""

    name: str
    amount: Decimal
    is_step: bool


def walked(found: Trail) -> Iterator[Walked]:
    """The trail from top to bottom, without what is nothing between two steps."""
    for step, name, between in _STEPS:
        yield Walked(step, getattr(found, name), True)
        for part in between:
            change = getattr(found, part.name) * (1 if part.is_added else -1)
            if change:
                yield Walked(part.comes if change > 0 else part.falls, change, False)


def render_trail(trails: Sequence[Trail], exponents: Mapping[str, int], console: Console) -> None:
    """A bar a step, and under it what comes to it or falls off before the next."""
    for found in trails:
        console.print(Text(f"\n {found.customer_id}, {found.period}, {found.currency}\n", "bold"))
        largest = max([abs(getattr(found, name)) for _, name, _ in _STEPS] + [Decimal(1)])
        for each in walked(found):
            (written,) = exactly([each.amount], found.currency, exponents)
            if each.is_step:
                bar = "█" * round(_WIDTH * max(each.amount, Decimal(0)) / largest)
                colour = "green" if each.name in ("banked", "recognised") else "cyan"
                console.print(Text.assemble(f" {each.name:<11}", f"{written:>18}  ", (bar, colour)))
            else:
                console.print(Text(f"   {each.name:<34}{written:>18}", "dim"), soft_wrap=True)


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
