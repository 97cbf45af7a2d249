"""What the product metered: usage events as columns, and their sums a customer, model and day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from sandbox import traces
from sandbox.calendar import DAY, HOUR, Calendar, instant
from sandbox.catalogue import EVENT_NAMES, METERED, MODELS
from sandbox.company import Customer
from sandbox.keyed import Keys

MICRO = 1_000_000
Ints = NDArray[np.int64]

_EVENTS_A_SESSION = 25
_WEEKEND_SHARE = 0.55
_DAILY_GROWTH = 1.004
# Local office hours with an evening shoulder; the traces' single hour cannot tell (see sandbox/traces.py).
_HOUR_WEIGHTS = np.array(
    [2, 1, 1, 1, 1, 2, 3, 5, 8, 11, 12, 12, 10, 11, 12, 12, 11, 10, 8, 7, 6, 5, 4, 3], dtype=np.float64
)
_UTC_OFFSET_HOURS = {"USD": -5, "EUR": 1, "JPY": 9}
_PIXELS = np.array([512 * 512, 1024 * 1024, 1024 * 1536, 1536 * 1024, 2048 * 2048], dtype=np.int64)
_MICROSECONDS_A_FRAME = MICRO // 25
_LATE_SHARE = 0.002
_LATEST = 5 * HOUR * MICRO


@dataclass(frozen=True)
class Events:
    """One row an event, ordered by `recorded_us`. Quantities in millionths; times in microseconds since 1970.

    `customer`: position in the company; `name`: index in EVENT_NAMES; `model`: index in MODELS of that name.
    """

    ids: list[str]
    customer: Ints
    name: Ints
    model: Ints
    quantities: dict[str, Ints] = field(repr=False)
    occurred_us: Ints
    recorded_us: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, rows: Ints) -> Events:
        """These rows, in this order."""
        return Events(
            ids=[self.ids[row] for row in rows.tolist()],
            customer=self.customer[rows],
            name=self.name[rows],
            model=self.model[rows],
            quantities={code: values[rows] for code, values in self.quantities.items()},
            occurred_us=self.occurred_us[rows],
            recorded_us=self.recorded_us[rows],
        )

    def rows_of(self, event_name: str) -> NDArray[np.bool_]:
        """Which rows carry an event name."""
        return np.asarray(self.name == EVENT_NAMES.index(event_name))

    def days(self, calendar: Calendar) -> Ints:
        """Each event's day, counted from the calendar's first."""
        return (self.occurred_us // MICRO - instant(calendar.first_day)) // DAY


def build(keys: Keys, calendar: Calendar, company: Sequence[Customer], events: int) -> Events:
    """Exactly `events` events: sessions spread over day and week, requests within a session as in the traces."""
    weights = np.array([customer.weight * _share_of_window(customer, calendar) for customer in company])
    counts = keys.rng("usage/counts").multinomial(events, weights / weights.sum())
    parts = [
        _customer_events(keys.rng(f"usage/{customer.id}"), calendar, customer, int(count))
        for customer, count in zip(company, counts, strict=True)
    ]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    customer = np.repeat(np.arange(len(company), dtype=np.int64), counts)
    order = np.lexsort((columns["occurred_us"], columns["recorded_us"]))
    hexadecimal = keys.rng("usage/ids").bytes(12 * events).hex()
    return Events(
        ids=[f"evt_{hexadecimal[start : start + 24]}" for start in range(0, 24 * events, 24)],
        customer=customer[order],
        name=columns["name"][order],
        model=columns["model"][order],
        quantities={product.code: columns[product.code][order] for product in METERED},
        occurred_us=columns["occurred_us"][order],
        recorded_us=columns["recorded_us"][order],
    )


def daily(events: Events, calendar: Calendar, customers: int, kept: NDArray[np.bool_]) -> dict[str, Ints]:
    """Millionths of each metered product used, by product code: arrays of customers x days x models."""
    models = max(len(names) for names in MODELS.values())
    shape = (customers, calendar.usage_days, models)
    cell = np.ravel_multi_index((events.customer, events.days(calendar), events.model), shape)
    sums = {}
    for product in METERED:
        rows = events.rows_of(product.event_name) & kept
        total = np.zeros(shape, dtype=np.int64)
        np.add.at(total.reshape(-1), cell[rows], events.quantities[product.code][rows])
        sums[product.code] = total
    return sums


def _share_of_window(customer: Customer, calendar: Calendar) -> float:
    return ((customer.end or calendar.usage_end) - customer.start).days / calendar.usage_days


def _customer_events(rng: np.random.Generator, calendar: Calendar, customer: Customer, count: int) -> dict[str, Ints]:
    sessions = max(1, count // _EVENTS_A_SESSION)
    sizes = rng.multinomial(count, rng.dirichlet(np.full(sessions, 2.0)))
    session_name = rng.choice(len(EVENT_NAMES), sessions, p=customer.mix)
    session_model = rng.integers(0, [len(MODELS[EVENT_NAMES[name]]) for name in session_name])
    name, model = np.repeat(session_name, sizes), np.repeat(session_model, sizes)
    occurred = _arrivals(rng, calendar, customer, sizes)
    latency = np.rint(rng.lognormal(np.log(0.4 * MICRO), 0.6, count)).astype(np.int64)
    late = rng.random(count) < _LATE_SHARE
    latency[late] = rng.integers(60 * MICRO, _LATEST, int(late.sum()))
    return {
        "name": name.astype(np.int64),
        "model": model.astype(np.int64),
        "occurred_us": occurred,
        "recorded_us": occurred + latency,
        **_quantities(rng, customer.trace, name),
    }


def _arrivals(rng: np.random.Generator, calendar: Calendar, customer: Customer, sizes: Ints) -> Ints:
    first = (customer.start - calendar.first_day).days
    last = ((customer.end or calendar.usage_end) - calendar.first_day).days
    day = np.arange(first, last)
    weekday = (day + calendar.first_day.weekday()) % 7
    day_weights = np.where(weekday < 5, 1.0, _WEEKEND_SHARE) * _DAILY_GROWTH**day
    hour_weights = np.roll(_HOUR_WEIGHTS, -_UTC_OFFSET_HOURS[customer.currency])
    sessions = len(sizes)
    start_us = (
        rng.choice(day, sessions, p=day_weights / day_weights.sum()) * DAY
        + rng.choice(24, sessions, p=hour_weights / hour_weights.sum()) * HOUR
    ) * MICRO + rng.integers(0, HOUR * MICRO, sessions)
    elapsed = np.cumsum(traces.sample(customer.trace, "gap_us", rng, int(sizes.sum())))
    begins = np.cumsum(sizes) - sizes
    used = sizes > 0
    since_start = elapsed - np.repeat(elapsed[begins[used]], sizes[used])
    window_end = (last * DAY - 1) * MICRO
    occurred = np.minimum(np.repeat(start_us, sizes) + since_start, window_end)
    return np.asarray(occurred + instant(calendar.first_day) * MICRO, dtype=np.int64)


def _quantities(rng: np.random.Generator, trace: str, name: Ints) -> dict[str, Ints]:
    quantities = {product.code: np.zeros(len(name), dtype=np.int64) for product in METERED}
    text, image, video, gpu = (name == index for index in range(len(EVENT_NAMES)))
    requests = int(text.sum())
    quantities["text_input"][text] = traces.sample(trace, "input_tokens", rng, requests) * MICRO
    quantities["text_output"][text] = traces.sample(trace, "output_tokens", rng, requests) * MICRO
    quantities["text_requests"][text] = MICRO
    images = int(image.sum())
    quantities["image_generation"][image] = rng.choice(_PIXELS, images) * rng.integers(1, 5, images)
    frames = np.clip(rng.lognormal(np.log(200), 0.7, int(video.sum())), 50, 1500).astype(np.int64)
    quantities["video_generation"][video] = frames * _MICROSECONDS_A_FRAME
    milliseconds = np.clip(rng.lognormal(np.log(600_000), 1.0, int(gpu.sum())), 5_000, 21_600_000).astype(np.int64)
    quantities["gpu_compute"][gpu] = milliseconds * 1000
    return quantities


def timestamps(microseconds: Ints) -> list[str]:
    """ISO 8601 instants with microseconds."""
    return [f"{text}+00:00" for text in np.datetime_as_string(microseconds.astype("datetime64[us]"))]


def day_start(calendar: Calendar, day: int) -> datetime:
    """The start of a usage day, counted from the calendar's first."""
    return datetime.fromtimestamp(instant(calendar.first_day) + day * DAY, UTC)
