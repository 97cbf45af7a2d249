"""What one sync of a company landed, landed again over its two months as it came about.

An object appears when it was created and is, at each reading, what it was by then: an invoice is a draft, then issued, then paid;
money of the last days is not settled. Some readings are late, some objects are edited, or deleted, and as they were again.

The batches are written as the sync writes them, without asking its sources again: which moments they are of is the whole point,
and the clocks of PostgreSQL and Stripe can't be told. That the readers land what is there, the crash and weather tests hold.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pyarrow as pa

from ingestion.lake import Lake
from ingestion.payload import SCHEMAS, Row, envelope
from ingestion.streams import CERTIFICATES, DIFFERENCES, REJECTED, STREAMS, Stream

Object = dict[str, Any]

_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
_PARENTS = {"stripe.invoice_lines": "stripe.invoices", "stripe.payout_transactions": "stripe.payouts"}
_BORN = (
    "created_at",
    "created",
    "date",
    "effective_date",
    "booked_on",
    "start_date",
    "effective_from",
    "timeframe_end",
    "usage.timeframe_end",
)
_HAPPENED = frozenset(
    {
        "archived_at",
        "canceled_at",
        "deleted_at",
        "finalized_at",
        "issued_at",
        "marked_uncollectible_at",
        "paid_at",
        "reverted_at",
        "voided_at",
    }
)
_UNSETTLED: Mapping[str, Object] = {
    "app.contracts": {"discount_percent": "0.000000"},
    "app.customers": {"stripe_customer_id": None},
    "bank.statement_lines": {"description": ""},
    "orb.credit_blocks": {"status": "pending_payment"},
    "orb.credit_ledger": {"entry_status": "pending"},
    "orb.event_volume": {"count": 1},
    "orb.subscription_usage": {"usage.quantity": 1},
    "stripe.balance_transactions": {"status": "pending"},
    "stripe.charges": {"amount_refunded": 0, "refunded": False, "disputed": False},
    "stripe.disputes": {"status": "needs_response"},
    "stripe.invoice_payments": {"status": "open", "amount_paid": None},
    "stripe.payment_intents": {"status": "processing", "amount_received": 0, "latest_charge": None},
    "stripe.payouts": {"status": "in_transit", "reconciliation_status": "in_progress"},
    "stripe.refunds": {"status": "pending"},
}
"""By stream: what an object's fields were before it settled, within nine days."""

_LOOKBACK = timedelta(days=3)


@dataclass
class Clock:
    """A moment that moves on whenever it is read, by up to a minute and a half, to the microsecond."""

    chance: random.Random
    at: datetime = _BEFORE

    def __call__(self) -> datetime:
        self.at += timedelta(microseconds=self.chance.randrange(1, 90_000_000))
        return self.at


def tell(landed: Lake, into: Lake, clock: Clock, runs: int) -> Iterator[None]:
    """Writes one run's batches after another's, each at the clock's next moment, over the company's two months."""
    chance = clock.chance
    typed = {stream: _Arrivals(_table(landed, stream), chance) for stream in STREAMS if stream.is_typed}
    lives = _lives(landed, chance)
    certificates = _table(landed, CERTIFICATES).to_pylist()
    start = min(row["occurred_at"] for each in typed.values() for row in each.rows) + timedelta(days=14)
    end = max(life.born for each in lives.values() for life in each if life.born < start + timedelta(days=300))
    for each in lives.values():
        for life in each:
            life.disturb(start, end, chance)
    known: dict[Stream, dict[str, str | None]] = {stream: {} for stream in lives}
    before = _BEFORE
    for moment in sorted(start + (end - start) * chance.random() for _ in range(runs)):
        clock.at = max(moment, clock.at)
        for stream in STREAMS:
            if stream.is_typed:
                rows = typed[stream].due(clock.at)
                _write(into, stream, [rows] if before == _BEFORE or rows.num_rows else [], clock)
            elif stream.asked_by is None:
                news = list(_news(lives[stream], known[stream], clock.at, chance))
                _write(into, stream, [envelope(stream, part)[0] for part in _parts(news, chance)], clock)
        for stream, rows in _evidence(certificates, before, clock, chance).items():
            _write(into, stream, [pa.Table.from_pylist(rows, schema=SCHEMAS[stream])] if rows else [], clock)
        before = moment
        yield


@dataclass
class _Life:
    """An object from its birth. `disturbances`: from when to when it was something else, or gone."""

    stream: Stream
    row: Row
    payload: Object
    born: datetime
    settled: datetime
    disturbances: list[tuple[datetime, datetime, str | None]] = field(default_factory=list)

    def at(self, moment: datetime) -> str | None:
        """What a reading found. None: nothing."""
        if moment < self.born:
            return None
        for since, until, text in self.disturbances:
            if since <= moment < until:
                return text
        found = _as_it_was(self.stream, self.payload, moment)
        if moment < self.settled:
            for path, value in _UNSETTLED.get(str(self.stream), {}).items():
                _set(found, path, value)
        return self.row.payload.decode() if found == self.payload else _text(found)

    def disturb(self, start: datetime, end: datetime, chance: random.Random) -> None:
        if chance.random() > 0.12:
            return
        since = start + (end - start) * chance.random()
        until = since + timedelta(days=chance.uniform(1, 25))
        edited = json.loads(self.row.payload)
        amount = _get(edited, self.stream.amount) if self.stream.amount else None
        if chance.random() < 0.3:
            text = None
        elif amount is not None:
            _set(edited, str(self.stream.amount), amount + 1 if isinstance(amount, int) else str(Decimal(amount) + 1))
            text = _text(edited)
        else:
            text = _text(edited | {"metadata": {**(edited.get("metadata") or {}), "noted": "yes"}})
        self.disturbances.append((since, until, text))


@dataclass
class _Arrivals:
    """The rows of a typed table in the order in which they can be read: some late, some first with another figure or day."""

    table: pa.Table
    chance: random.Random

    def __post_init__(self) -> None:
        self.rows = self.table.to_pylist()
        self._waiting: list[tuple[datetime, Object]] = []
        for row in self.rows:
            late = timedelta(days=self.chance.uniform(1, 12)) if self.chance.random() < 0.05 else timedelta()
            due = row["recorded_at"] + late
            self._waiting.append((due, row))
            if self.chance.random() < 0.04:
                figure = next(name for name in row if isinstance(row[name], int | Decimal))
                moved = {"occurred_at": row["occurred_at"] - timedelta(days=1)}
                first = self.chance.choice([{figure: row[figure] + 1}, moved])
                self._waiting.append((due - timedelta(days=self.chance.uniform(0, 9)), row | first))
        self._waiting.sort(key=lambda each: each[0])

    def due(self, moment: datetime) -> pa.Table:
        due = [row for at, row in self._waiting if at <= moment]
        self._waiting = [(at, row) for at, row in self._waiting if at > moment]
        # One reading is of one moment: of a row that was changed before it, it finds the newest version.
        key = self.table.schema.names[0]
        return pa.Table.from_pylist(list({row[key]: row for row in due}.values()), schema=self.table.schema)


def _lives(landed: Lake, chance: random.Random) -> dict[Stream, list[_Life]]:
    lives: dict[Stream, list[_Life]] = {}
    born: dict[tuple[str, str], datetime] = {}
    for stream in (each for each in STREAMS if not each.is_typed and each.asked_by is None):
        lives[stream] = []
        for row in _table(landed, stream).to_pylist():
            payload = json.loads(row["payload"])
            parent = born.get((_PARENTS.get(str(stream), ""), row["parent_id"]))
            born[str(stream), row["object_id"]] = at = parent or _born(payload)
            kept = Row(row["object_id"], row["payload"].encode(), row["origin"], row["parent_id"], row["source_at"])
            lives[stream].append(_Life(stream, kept, payload, at, at + timedelta(days=chance.uniform(0, 9))))
    return lives


def _news(
    lives: Sequence[_Life], known: dict[str, str | None], moment: datetime, chance: random.Random
) -> Iterator[Row]:
    """What a reading brings: all that is not as it was at the last one, but for the tenth that comes late."""
    for life in lives:
        found = life.at(moment)
        if found != known.get(life.row.object_id) and chance.random() > 0.1:
            known[life.row.object_id] = found
            text = "{}" if found is None else found
            yield Row(
                life.row.object_id,
                text.encode(),
                life.row.origin,
                life.row.parent_id,
                life.row.source_at,
                is_deleted=found is None,
            )


def _parts(rows: list[Row], chance: random.Random) -> list[list[Row]]:
    cut = chance.randrange(len(rows) + 1)
    return [part for part in (rows[:cut], rows[cut:]) if part]


def _evidence(
    landed: Sequence[Object], before: datetime, clock: Clock, chance: random.Random
) -> dict[Stream, list[Object]]:
    """What a run certifies: the days since the one before and three more. Of some days a thing is missing, until they are counted
    again."""
    since, through, at = before - _LOOKBACK, clock.at, clock()
    certified, differences, rejected = [], [], []
    for row in landed:
        day: date | None = row["day"]
        if day is None or since.date() <= day <= through.date():
            is_short = row["measure"] == "objects" and chance.random() < 0.1
            moments = {"certified_from": since, "certified_through": through, "certified_at": at}
            certified.append(row | moments | {"landed_value": row["landed_value"] - is_short})
            if is_short:
                found = {"stream": row["stream"], "day": day, "object_id": f"missing_{chance.getrandbits(32):08x}"}
                differences.append(found | {"difference": "missing", "certified_at": at})
    if chance.random() < 0.5:
        original = f"<html>{chance.getrandbits(32)}</html>".encode()
        object_id = sha256(original).hexdigest()
        about = {"stream": "orb.invoices", "reason": "is no JSON", "original": original, "is_deleted": False}
        rejected.append({"object_id": object_id, "payload_hash": object_id} | about)
    return {DIFFERENCES: differences, REJECTED: rejected, CERTIFICATES: certified}


def _write(lake: Lake, stream: Stream, tables: Sequence[pa.Table], clock: Clock) -> None:
    for table in tables:
        started_at = clock.at
        lake.write(
            stream,
            table,
            cursor_from=None,
            cursor_to=None,
            api_version="1",
            started_at=started_at,
            finished_at=clock(),
        )


def _table(lake: Lake, stream: Stream) -> pa.Table:
    """All rows of a stream's batches as they were read."""
    parts = [pa.parquet.read_table(path) for path in lake.paths(stream)]
    if not parts:
        return SCHEMAS.get(stream, envelope(stream, [])[0].schema).empty_table()
    return pa.concat_tables(parts).drop_columns(["batch_id", "read_at"]).replace_schema_metadata(None)


def _as_it_was(stream: Stream, payload: Object, moment: datetime) -> Object:
    found: Object = _without_later(payload, moment)
    match str(stream):
        case "stripe.invoices" if found["status_transitions"] != payload["status_transitions"]:
            is_final = found["status_transitions"]["finalized_at"] is not None
            found |= {
                "status": "open" if is_final else "draft",
                "amount_paid": 0,
                "amount_remaining": found["amount_due"],
            }
        case "orb.invoices" if found != payload:
            found["status"] = "issued" if found["issued_at"] else "draft"
    return found


def _without_later(value: Any, moment: datetime) -> Any:
    match value:
        case dict():
            return {
                key: None
                if key in _HAPPENED and inner is not None and _instant(inner) > moment
                else _without_later(inner, moment)
                for key, inner in value.items()
            }
        case list():
            return [
                _without_later(inner, moment)
                for inner in value
                if not (isinstance(inner, dict) and _born(inner) > moment)
            ]
    return value


def _born(payload: Object) -> datetime:
    return next((_instant(found) for path in _BORN if (found := _get(payload, path)) is not None), _BEFORE)


def _instant(value: str | int) -> datetime:
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _get(payload: Object, path: str) -> Any:
    found: Any = payload
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _set(payload: Object, path: str, value: object) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        payload = payload[parent]
    payload[name] = value


def _text(payload: Object) -> str:
    return json.dumps(payload, separators=(",", ":"))
