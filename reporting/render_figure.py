"""A figure walked down, as people and programs read it: in the terminal, as JSON, as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date

from rich.console import Console
from rich.text import Text

from reporting.figure import Walk
from reporting.render import exactly, plain, table

_SHOWN = 12


def render_walk(found: Walk, exponents: Mapping[str, int], console: Console) -> None:
    """The figure, then a table a step down; long tables are cut, and say by how much. --format csv has all of it."""
    for currency, total in found.totals.items():
        (amount,) = exactly([total], currency, exponents)
        console.print(
            Text(f"\n {found.figure} of {found.customer_id}, {found.period}: {amount} {currency}", "bold"),
            soft_wrap=True,
        )
    parts = table("account", "product", "entry", "#amount", "in")
    for part in found.parts:
        (amount,) = exactly([part.amount], part.currency, exponents)
        parts.add_row(part.account_name, part.product_id or "-", part.entry_kind, amount, part.currency)
    documents = table("document", "stream", "entry", "#amount", "in", "batch", "read")
    for one in found.documents[:_SHOWN]:
        (amount,) = exactly([one.amount], one.currency, exponents)
        read = f"{one.read_at:%Y-%m-%d %H:%M}" if one.read_at else "-"
        batch = one.batch_id[:8] if one.batch_id else "-"
        documents.add_row(one.document_id, one.stream or "-", one.entry_kind, amount, one.currency, batch, read)
    lines = table("invoice", "product", "kind", "#quantity", "#billed", "in", "service")
    for line in found.lines[:_SHOWN]:
        (amount,) = exactly([line.adjusted_amount], line.currency, exponents)
        service = f"{line.period_start} to {line.period_end}"
        lines.add_row(
            line.invoice_id,
            line.product_id or "-",
            line.line_kind,
            plain(line.quantity),
            amount,
            line.currency,
            service,
        )
    days = table("day", "product", "metric", "#quantity", "#events")
    for day in found.usage_days[:_SHOWN]:
        days.add_row(str(day.usage_date), day.product_id, day.metric, plain(day.quantity), f"{day.event_count:,}")
    batches = table("batch", "#events", "read")
    for batch_of in found.usage_batches[:_SHOWN]:
        batches.add_row(batch_of.batch_id, f"{batch_of.event_count:,}", f"{batch_of.read_at:%Y-%m-%d %H:%M}")
    for title, listing, count in (
        ("What it is made of", parts, 0),
        ("The documents behind it", documents, len(found.documents)),
        ("The lines of these invoices", lines, len(found.lines)),
        ("The usage of these lines in the month", days, len(found.usage_days)),
        ("The batches that brought it", batches, len(found.usage_batches)),
    ):
        if listing.row_count:
            more = f"   the first {_SHOWN} of {count:,}; all with --format csv" if count > _SHOWN else ""
            console.print(Text.assemble((f"\n {title}", "bold"), (more, "dim")))
            console.print(listing)


def walk_to_json(found: Walk) -> str:
    """Every step whole; amounts as strings, digit for digit."""
    return json.dumps(asdict(found), default=_plain, indent=2)


def walk_to_csv(found: Walk) -> str:
    """A row an item of every step, the figure first: step, what it is called, product, currency or unit, amount or quantity."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("step", "id", "kind", "product_id", "unit", "amount"))
    for currency, total in found.totals.items():
        writer.writerow(("figure", found.figure, found.period, "", currency, plain(total)))
    for part in found.parts:
        writer.writerow(
            ("part", part.account_name, part.entry_kind, part.product_id, part.currency, plain(part.amount))
        )
    for one in found.documents:
        writer.writerow(("document", one.document_id, one.entry_kind, "", one.currency, plain(one.amount)))
    for line in found.lines:
        amount = plain(line.adjusted_amount)
        writer.writerow(("line", line.invoice_line_id, line.line_kind, line.product_id, line.currency, amount))
    for day in found.usage_days:
        writer.writerow(("usage day", day.usage_date, "usage", day.product_id, day.metric, plain(day.quantity)))
    for batch in found.usage_batches:
        writer.writerow(("batch", batch.batch_id, "usage", "", "events", batch.event_count))
    return text.getvalue()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else plain(value)
