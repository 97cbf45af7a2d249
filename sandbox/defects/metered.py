"""Between the product's events and Orb's: all that Orb makes of its usage follows from what reached it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from sandbox.catalogue import EVENT_NAMES, METERED
from sandbox.company import Customer
from sandbox.defects.base import Answer, month, times
from sandbox.usage import Ints
from sandbox.views.orb import number
from sandbox.world import Metered

COMPARISON = "metered__app_vs_orb"
EVENT_MISSING = "event_missing_in_orb"


def drop_events(metered: Metered) -> tuple[NDArray[np.bool_], list[Answer]]:
    """Which events reach Orb: all but some of one customer's events of a name on a day, a few times."""
    keys, calendar, events, company = metered.keys, metered.calendar, metered.events, metered.company
    rng = keys.rng(f"defects/{EVENT_MISSING}")
    in_orb = np.ones(len(events), dtype=np.bool_)
    days = events.days(calendar)
    shape = (len(company), len(EVENT_NAMES), calendar.usage_days)
    cell = np.ravel_multi_index((events.customer, events.name, days), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    answers: list[Answer] = []
    seen: set[str] = set()
    for number_of_plant in range(times(len(company), 3)):
        name = (0, 3, 1)[number_of_plant]
        fresh = [c.position for c in company if c.account_type == "customer" and not {c.id, c.currency} & seen]
        found = np.argwhere(counts[fresh, name] >= 3)
        if not len(found):
            raise ValueError(
                f"{EVENT_MISSING}: no customer has three {EVENT_NAMES[name]} events on a day; ask for more events"
            )
        place, day = found[int(rng.integers(len(found)))]
        customer = company[fresh[int(place)]]
        seen |= {customer.id, customer.currency}
        rows = np.flatnonzero((events.customer == customer.position) & (events.name == name) & (days == day))
        lost = rng.choice(rows, int(rng.integers(1, len(rows))), replace=False)
        in_orb[lost] = False
        answers += _usage_lost(metered, customer, EVENT_NAMES[name], int(day), lost)
    return in_orb, answers


def _usage_lost(metered: Metered, customer: Customer, event_name: str, day: int, lost: Ints) -> Iterable[Answer]:
    on = metered.calendar.first_day + timedelta(days=day)
    for product in METERED:
        if product.event_name == event_name and product.metric:
            key = f"{customer.id}/{product.metric}/{on}"
            quantity = Decimal(number(int(metered.events.quantities[product.code][lost].sum())))
            yield Answer(
                EVENT_MISSING,
                COMPARISON,
                "break",
                key,
                customer.id,
                month(on),
                product.metric,
                key,
                key,
                quantity,
            )
