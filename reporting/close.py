"""A close as it was built: what holds it back, and what it freezes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from reporting.marts import ReportUnavailable, Warehouse, opened


@dataclass(frozen=True)
class Check:
    """A row of `fct_close_checks` that does not hold."""

    check_kind: str
    subject: str
    currency: str | None
    period: str
    amount: Decimal
    limit_amount: Decimal
    certified_through: datetime | None

    def __str__(self) -> str:
        if self.check_kind == "certificate":
            stands = f"{self.certified_through:%Y-%m-%d %H:%M} UTC" if self.certified_through else "nowhere"
            return (
                f"{self.subject} is certified complete through {stands}, not beyond the end of {self.period}: run `tieout run`; "
                "raw_tieout.differences names what is missing"
            )
        return (
            f"{self.subject}: {self.amount.normalize():f} {self.currency} of {self.period} is unexplained, "
            f"{self.limit_amount.normalize():f} may be: `tieout breaks --cause unexplained --open` lists it"
        )


@dataclass(frozen=True)
class Closed:
    """A close that stands: its id, its month, the moment whose knowledge it shows, and the hash of what it froze."""

    close_id: str
    period: str
    as_of: datetime
    content_hash: str


@dataclass(frozen=True)
class Header:
    """What a close says of itself: who closed, on which input, and which checks did not hold and why it was closed all the same.
    `first_period` is the first month that it froze: those between had been open."""

    closed: Closed
    first_period: str
    closed_by: str
    input_hash: str
    accepted_reason: str | None
    accepted: tuple[str, ...]


def schema_of(period: str, layer: str) -> str:
    """Where a layer of the month's close is built; `generate_schema_name` names it alike."""
    return f"close_{period.replace('-', '_')}_{layer}"


def closes(warehouse: Warehouse) -> tuple[Closed, ...]:
    """All closes, oldest month first."""
    return tuple(_closed(told) for told in _told(warehouse))


def header(warehouse: Warehouse, period: str) -> Header:
    """The month's close. Raises ReportUnavailable where it has none, and says what to do."""
    told = next((each for each in _told(warehouse) if each["period"] == period), None)
    if told is None:
        later = next((each for each in closes(warehouse) if each.period > period), None)
        raise ReportUnavailable(
            f"{period} was closed with {later.period}, whose pack has its journal too: `tieout pack {later.period}`"
            if later
            else f"{period} was never closed: `tieout close {period}` closes it"
        )
    close = schema_of(period, "close")
    with opened(warehouse, [f"{close}.fct_closes", f"{close}.fct_journal_entries"]) as connection:
        first = connection.execute(
            f"""
            select min(period)
            from {close}.fct_journal_entries
            where period > (select coalesce(max(period), '') from {close}.fct_closes)
            """
        ).fetchone()
    return Header(
        closed=_closed(told),
        first_period=(first and first[0]) or period,
        closed_by=told["closed_by"],
        input_hash=told["input_hash"],
        accepted_reason=told["accepted_reason"],
        accepted=tuple(json.loads(told["accepted"])),
    )


def _told(warehouse: Warehouse) -> list[dict[str, Any]]:
    with opened(warehouse, ["raw_tieout.closes"]) as connection:
        payloads = connection.execute("select payload from raw_tieout.closes order by object_id").fetchall()
    return [json.loads(payload) for (payload,) in payloads]


def _closed(told: dict[str, Any]) -> Closed:
    return Closed(told["close_id"], told["period"], datetime.fromisoformat(told["as_of"]), told["content_hash"])


def failed_checks(warehouse: Warehouse, period: str) -> tuple[Check, ...]:
    """What holds the month back, or a month before it that is open still, in the close's own marts."""
    close = schema_of(period, "close")
    with opened(warehouse, [f"{close}.fct_close_checks", f"{close}.fct_closes"]) as connection:
        rows = connection.execute(
            f"""
            select check_kind, subject, currency, period, amount, limit_amount, certified_through
            from {close}.fct_close_checks
            where not is_passed
                and period <= $period
                and period > coalesce((select max(period) from {close}.fct_closes), '')
            order by check_kind desc, subject, currency, period
            """,
            {"period": period},
        ).fetchall()
    return tuple(Check(*row) for row in rows)


def frozen(warehouse: Warehouse, period: str, close_id: str) -> tuple[tuple[str, str], ...]:
    """What the close freezes, as (id, JSON text) in the order of the ids: each figure and journal line of the month, and of the
    months before it that no close has frozen. Amounts are texts, digit for digit."""
    close = schema_of(period, "close")
    marts = [f"{close}.{mart}" for mart in ("fct_closes", "fct_close_figures", "fct_journal_entries")]
    with opened(warehouse, marts) as connection:
        rows = connection.execute(
            f"""
            with newest as (select coalesce(max(period), '') as closed_through from {close}.fct_closes)

            select
                $close_id || '/' || row_kind || '/' || own_id as row_id,
                to_json({{
                    close_id: $close_id, close_period: $period, row_kind: row_kind, figure: figure, detail: detail,
                    journal_line_id: journal_line_id, journal_entry_id: journal_entry_id, entry_kind: entry_kind,
                    account_id: account_id, customer_id: customer_id, product_id: product_id, document_id: document_id,
                    currency: currency, period: period, amount: amount::varchar, entry_date: entry_date::varchar
                }})::varchar as payload
            from (
                select
                    'figure' as row_kind,
                    figure_id as own_id,
                    * exclude (figure_id)
                from {close}.fct_close_figures
                union all by name
                select
                    'journal_line' as row_kind,
                    journal_line_id as own_id,
                    journal_line_id,
                    journal_entry_id,
                    entry_kind,
                    account_id,
                    customer_id,
                    product_id,
                    document_id,
                    currency,
                    period,
                    debit_amount - credit_amount as amount,
                    entry_date
                from {close}.fct_journal_entries
                where closed_period is null
            ) as of_the_close, newest
            where period <= $period and period > newest.closed_through
            order by row_id
            """,
            {"close_id": close_id, "period": period},
        ).fetchall()
    return tuple(rows)


def content_hash(rows: Sequence[tuple[str, str]]) -> str:
    """SHA-256 of what `frozen` gives, in its order."""
    return hashlib.sha256("\n".join(payload for _, payload in rows).encode()).hexdigest()
