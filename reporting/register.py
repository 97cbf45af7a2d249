"""The register of breaks: which there are, and one of them down to the payloads behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from reporting.marts import ReportUnavailable, Warehouse, exponents_of, opened

MARTS = (
    "reconciliation.fct_breaks",
    "reconciliation.fct_break_consequences",
    "reconciliation.rec_metered__event_by_event",
    "seeds.break_causes",
    "seeds.currencies",
)


@dataclass(frozen=True)
class Break:
    """A row of `fct_breaks`; amounts are exact, `currency` is a metric in the metered hop."""

    break_id: str
    comparison: str
    hop: str
    match_key: str
    customer_id: str | None
    left_ref: str | None
    right_ref: str | None
    state: str
    status: str
    cause: str
    match_rule: str | None
    period: str
    currency: str
    right_currency: str
    owner: str | None
    resolution: str | None
    resolution_reason: str | None
    resolution_expires_on: date | None
    age_days: int
    times_reopened: int
    evidence: str
    left_batch_id: str | None
    left_payload_hash: str | None
    right_batch_id: str | None
    right_payload_hash: str | None
    rule_version: str
    left_amount: Decimal
    right_amount: Decimal
    difference: Decimal
    first_difference: Decimal
    tolerance: Decimal
    first_seen_at: datetime
    last_seen_at: datetime
    reopened_at: datetime | None
    resolved_at: datetime | None


@dataclass(frozen=True)
class Consequence:
    """What a break changes further down, at one step: an invoice, a payment; `amount` is its share of that step's amount."""

    hop: str
    object_kind: str
    object_id: str
    currency: str
    amount: Decimal


@dataclass(frozen=True)
class Event:
    """One of the events that a day of usage differs by; `confidence` is certain, likely or possible."""

    event_id: str | None
    left_amount: Decimal
    right_amount: Decimal
    confidence: str


@dataclass(frozen=True)
class Explanation:
    """A break with what it means, what to do, the events behind it, what it caused and the objects as their sources sent them."""

    found: Break
    meaning: str
    remedy: str
    events: tuple[Event, ...]
    consequences: tuple[Consequence, ...]
    left_payload: str | None
    right_payload: str | None


@dataclass(frozen=True)
class Register:
    """Breaks, largest first within a hop; `exponents` are the decimals of each currency (ISO 4217)."""

    breaks: tuple[Break, ...]
    exponents: dict[str, int]


def breaks(
    warehouse: Warehouse,
    *,
    cause: str | None = None,
    customer: str | None = None,
    min_amount: Decimal = Decimal(0),
    only_open: bool = False,
) -> Register:
    """The register, narrowed. `min_amount` is held against the absolute difference, each in its own currency.

    Raises ReportUnavailable when there is no register, or no break ever had this cause.
    """
    with opened(warehouse, MARTS) as connection:
        causes = connection.execute("select cause from seeds.break_causes order by cause").fetchall()
        if cause is not None and (cause,) not in causes:
            raise ReportUnavailable(f"no cause is called {cause}; there are {', '.join(name for (name,) in causes)}")
        return Register(
            _selected(
                connection,
                """
                where coalesce(cause = $cause, true)
                    and coalesce(customer_id = $customer, $customer is null)
                    and abs(difference) >= $min_amount
                    and (state = 'open' or not $only_open)
                """,
                {"cause": cause, "customer": customer, "min_amount": min_amount, "only_open": only_open},
            ),
            exponents_of(connection),
        )


def explain(warehouse: Warehouse, break_id: str) -> tuple[Explanation, dict[str, int]]:
    """One break, named by its id or by the beginning of it, and the decimals of each currency.

    Raises ReportUnavailable when no break, or more than one, is called so.
    """
    with opened(warehouse, MARTS) as connection:
        found = _selected(connection, "where starts_with(break_id, $break_id)", {"break_id": break_id.lower()})
        if len(found) != 1:
            told = ", ".join(one.break_id for one in found[:5])
            raise ReportUnavailable(
                f"{len(found)} breaks begin with {break_id}: {told}" if found else f"no break is called {break_id}"
            )
        (one,) = found
        ((meaning, remedy),) = connection.execute(
            "select meaning, remedy from seeds.break_causes where cause = ?", [one.cause]
        ).fetchall()
        consequences = connection.execute(
            """
            select hop, object_kind, object_id, currency, amount
            from reconciliation.fct_break_consequences
            where break_id = ?
            order by step_no, object_id
            """,
            [one.break_id],
        ).fetchall()
        # A day of usage is called by customer, metric, day and cause; its events by their own ids in the place of the cause.
        events = connection.execute(
            """
            select evidence ->> 'event_id', left_amount, right_amount, evidence ->> 'confidence'
            from reconciliation.rec_metered__event_by_event
            where $comparison = 'metered__app_vs_orb' and cause = $cause and starts_with(match_key, $day)
            order by match_key
            """,
            {"comparison": one.comparison, "cause": one.cause, "day": one.match_key.removesuffix(one.cause)},
        ).fetchall()
        return (
            Explanation(
                one,
                meaning,
                remedy,
                tuple(Event(*row) for row in events),
                tuple(Consequence(*row) for row in consequences),
                _payload(warehouse, connection, one.left_batch_id, one.left_payload_hash),
                _payload(warehouse, connection, one.right_batch_id, one.right_payload_hash),
            ),
            exponents_of(connection),
        )


def _selected(connection: duckdb.DuckDBPyConnection, where: str, values: dict[str, object]) -> tuple[Break, ...]:
    columns = ", ".join(field.name for field in fields(Break))
    rows = connection.execute(
        f"select {columns} from reconciliation.fct_breaks {where} order by hop, abs(difference) desc, break_id", values
    ).fetchall()
    return tuple(Break(*row) for row in rows)


def _payload(
    warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, batch_id: str | None, payload_hash: str | None
) -> str | None:
    """The version that was compared, as its source sent it; None where the side is no single object."""
    if batch_id is None or payload_hash is None:
        return None
    if isinstance(warehouse, Path):
        ((source, stream),) = connection.execute(
            "select source, stream from ingestion.batches where batch_id = ?", [batch_id]
        ).fetchall()
        ((payload,),) = connection.execute(
            f"select payload from raw_{source}.{stream} where batch_id = ? and payload_hash = ? limit 1",
            [batch_id, payload_hash],
        ).fetchall()
    else:
        payload = warehouse.payload(batch_id, payload_hash)
    return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
