"""What finance keeps in the product's database: the reference exchange rates of every weekday, and what serving costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from sandbox.calendar import Calendar, add_months
from sandbox.keyed import Keys

PUBLISHER = "Federal Reserve H.10"
_USUAL_RATE = {"EUR": (Decimal("1.085"), 4), "JPY": (Decimal("0.00667"), 8)}
_DAYS_BEFORE = timedelta(days=10)
_SINCE = date(2026, 1, 1)

# About half of what the list asks. What no line names is served at the product's line without a model.
_UNIT_COSTS = (
    ("text_input", None, "0.000006", "USD"),
    ("text_output", "aria-small", "0.00001", "USD"),
    ("text_output", "aria-large", "0.00004", "USD"),
    ("text_output", "aria-code", "0.000025", "USD"),
    ("text_requests", None, "0.0001", "USD"),
    ("image_generation", "lumen-2", "0.07", "USD"),
    ("image_generation", None, "0.03", "USD"),
    ("video_generation", "reel-1-hd", "0.3", "USD"),
    ("video_generation", None, "0.18", "USD"),
    ("gpu_compute", "a100", "0.0006", "USD"),
    ("gpu_compute", "h100", "0.0008", "EUR"),
)
_CHEAPER_FROM_THE_SECOND_MONTH = {"h100": Decimal("0.8")}


@dataclass(frozen=True)
class ReferenceRate:
    """What one unit of `currency` is worth in dollars."""

    currency: str
    rate: Decimal
    published_on: date


@dataclass(frozen=True)
class ServingCost:
    """What one unit of a product costs within [effective_from, effective_to); `model` None: any without a line of its own."""

    product_code: str
    model: str | None
    unit_cost: Decimal
    currency: str
    effective_from: date
    effective_to: date | None


def reference_rates(keys: Keys, calendar: Calendar) -> Iterator[ReferenceRate]:
    """A rate a weekday and currency, to the end of the month that drafts bill. They wander about two percent around where
    Stripe's own rates lie, and are never those."""
    days = np.arange(calendar.first_day - _DAYS_BEFORE, add_months(calendar.now, 1), dtype="datetime64[D]").tolist()
    for currency, (usual, digits) in _USUAL_RATE.items():
        millionths = 0
        for day, step in zip(days, keys.rng(f"reference rates/{currency}").normal(0, 2_000, len(days)), strict=True):
            millionths = millionths * 97 // 100 + round(step)
            if day.weekday() < 5:
                yield ReferenceRate(currency, round(usual * (1 + Decimal(millionths).scaleb(-6)), digits), day)


def serving_costs(keys: Keys, calendar: Calendar) -> Iterator[ServingCost]:
    """The rate card; one model becomes cheaper with the second month."""
    for product_code, model, usual, currency in _UNIT_COSTS:
        percent = int(keys.rng(f"serving cost/{product_code}/{model or ''}").integers(90, 111))
        unit_cost = Decimal(usual) * percent / 100
        share = _CHEAPER_FROM_THE_SECOND_MONTH.get(model or "")
        change = add_months(calendar.first_day, 1) if share else None
        yield ServingCost(product_code, model, unit_cost, currency, _SINCE, change)
        if share and change:
            yield ServingCost(product_code, model, unit_cost * share, currency, change, None)
