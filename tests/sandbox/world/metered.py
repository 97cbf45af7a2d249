"""What the product's events and Orb's say of each other, told apart event by event in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.sandbox.world.conftest import Dataset
from tests.sandbox.world.test_books import METRICS, orb_usage

NAMES = {
    "input_tokens": "text_generation",
    "output_tokens": "text_generation",
    "requests": "text_generation",
    "megapixels": "image_generation",
    "video_seconds": "video_generation",
    "gpu_seconds": "gpu_job",
}
Day = tuple[str, str, str]
"""Customer, event name and day."""


def differences(dataset: Dataset) -> dict[str, tuple[str | None, str | None, Decimal]]:
    """By customer, metric, day and cause: the product's quantity less Orb's."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for (customer, _, day), cause, left, right in _named(dataset):
        for metric in left.keys() | right.keys():
            here, there = left.get(metric, Decimal(0)), right.get(metric, Decimal(0))
            if cause in ("event_quantity_differs", "event_amended") and here == there:
                continue
            found[f"{customer}/{metric}/{day}/{cause}"] += here - there
    return {key: (key, key, difference) for key, difference in found.items()}


def _named(dataset: Dataset) -> Iterator[tuple[Day, str, dict[str, Decimal], dict[str, Decimal]]]:
    """Day, cause, and what each side has of it, by metric."""
    app = {row["event_id"]: row for row in dataset.table("usage_events").to_pylist()}
    orb = {event["id"]: event for event in dataset.objects("orb/events")}
    absent: dict[Day, list[dict[str, Any]]] = defaultdict(list)
    vectors: dict[Day, list[dict[str, Decimal]]] = defaultdict(list)
    counted: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for event_id, row in app.items():
        day = (row["customer_id"], row["event_name"], f"{row['occurred_at']:%Y-%m-%d}")
        own = _quantities(row["event_name"], row)
        vectors[day].append(own)
        event = orb.get(event_id)
        if event is None:
            absent[day].append(row)
            continue
        if event["deprecated"]:
            yield day, "event_deprecated", own, {}
            continue
        theirs = _quantities(event["event_name"], event["properties"])
        for metric, quantity in theirs.items():
            counted[event["external_customer_id"], metric, event["timestamp"][:10]] += quantity
        if event["external_customer_id"] != day[0]:
            yield day, "event_wrong_customer", own, theirs
        elif event["timestamp"][:10] != day[2]:
            yield day, "period_shifted", own, theirs
        elif theirs != own:
            yield day, "event_quantity_differs", own, theirs
    surplus: dict[Day, dict[str, Decimal]] = defaultdict(dict)
    for metric in METRICS:
        for (customer, on), quantity in orb_usage(dataset, metric).items():
            if rest := quantity - counted[customer, metric, on]:
                surplus[customer, NAMES[metric], on][metric] = rest
    hours = Counter(f"{row['occurred_at']:%Y-%m-%dT%H}" for row in app.values())
    volume = {hour["timeframe_start"][:13]: hour["count"] for hour in dataset.objects("orb/event_volume")}
    missing = Counter(f"{row['occurred_at']:%Y-%m-%dT%H}" for rows in absent.values() for row in rows)
    for day, rows in absent.items():
        hour = f"{rows[0]['occurred_at']:%Y-%m-%dT%H}"
        if len(rows) == 1 and day in surplus and missing[hour] > hours[hour] - volume.get(hour, 0):
            yield day, "event_amended", _quantities(day[1], rows[0]), surplus.pop(day)
            continue
        for row in rows:
            yield day, _absence(dataset, row), _quantities(day[1], row), {}
    for day, extra in surplus.items():
        yield day, "event_duplicated_in_orb" if extra in vectors[day] else "event_unknown_to_app", {}, extra


def _quantities(event_name: str, fields: dict[str, Any]) -> dict[str, Decimal]:
    return {
        metric: Decimal(1) if metric == "requests" else Decimal(fields[metric])
        for metric, name in NAMES.items()
        if name == event_name and (metric == "requests" or fields.get(metric) is not None)
    }


def _absence(dataset: Dataset, row: dict[str, Any]) -> str:
    orb_id = next(
        customer["id"]
        for customer in dataset.objects("orb/customers")
        if customer["external_customer_id"] == row["customer_id"]
    )
    for backfill in dataset.objects("orb/backfills"):
        start, end = (datetime.fromisoformat(backfill[f"timeframe_{side}"]) for side in ("start", "end"))
        if backfill["reverted_at"] and backfill["customer_id"] == orb_id and start <= row["occurred_at"] < end:
            return "backfill_reverted"
    for invoice in dataset.objects("orb/invoices"):
        if invoice["customer"]["external_customer_id"] == row["customer_id"] and invoice["issued_at"]:
            for line in invoice["line_items"]:
                start, end = datetime.fromisoformat(line["start_date"]), datetime.fromisoformat(line["end_date"])
                is_usage = line["price"]["price_type"] == "usage_price"
                if is_usage and start <= row["occurred_at"] < end:
                    issued_at = datetime.fromisoformat(invoice["issued_at"])
                    return "event_late" if row["recorded_at"] > issued_at else "event_missing_in_orb"
    return "event_missing_in_orb"
