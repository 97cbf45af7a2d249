"""Between the product's events and Orb's: all that Orb makes of its usage follows from what reached it, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY, HOUR, add_months, instant
from sandbox.catalogue import EVENT_NAMES, METERED, Product
from sandbox.company import Customer
from sandbox.defects.base import Answer, month, times
from sandbox.usage import MICRO, Ints
from sandbox.views.orb import number
from sandbox.world import Backfill, Metered, OrbEvents

COMPARISON = "metered__app_vs_orb"
_ISSUED_WITHIN = 13 * HOUR


@dataclass(frozen=True)
class _Cell:
    """What one customer did of one event name on one day: row numbers of the product's events."""

    customer: Customer
    name: int
    day: int
    rows: Ints


@dataclass
class _Ingestion:
    """What the product recorded on its way to Orb. `taken`: (customer, day) that carry a plant already.

    `extra`: events that only Orb has, each a row that it is like and the quantities it has instead (None: the same).
    """

    metered: Metered
    recorded_us: Ints
    customer: Ints
    occurred_us: Ints
    quantities: dict[str, Ints]
    is_there: NDArray[np.bool_]
    deprecated: NDArray[np.bool_]
    amended: NDArray[np.bool_]
    backfills: list[Backfill]
    extra: list[tuple[int, str, dict[str, int] | None]] = field(default_factory=list)
    taken: set[tuple[int, int]] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)

    def on(self, day: int) -> date:
        return self.metered.calendar.first_day + timedelta(days=day)

    def cell(self, code: str, what: str, least: int, days: Sequence[int], *, in_arrears: bool = False) -> _Cell:
        """An untaken cell with so many events, on one of these days, and if `in_arrears` of a contract.

        ValueError: the world has none.
        """
        metered = self.metered
        on = metered.events.days(metered.calendar)
        shape = (len(metered.company), len(EVENT_NAMES), metered.calendar.usage_days)
        index = np.ravel_multi_index((metered.events.customer, metered.events.name, on), shape)
        counts = np.bincount(index, minlength=int(np.prod(shape))).reshape(shape)
        found = [
            (int(customer), int(name), int(day))
            for customer, name, day in np.argwhere(counts >= least)
            if day in days
            and (customer, day) not in self.taken
            and (customer, day + 1) not in self.taken
            and metered.company[customer].account_type == "customer"
            and metered.company[customer].end is None
            and (metered.company[customer].contract is not None or not in_arrears)
        ]
        if not found:
            raise ValueError(f"{code}: no customer has {what}; ask for more events or customers")
        order = metered.keys.rng(f"defects/{code}/{len(self.taken)}").permutation(len(found))
        customer, name, day = min((found[int(place)] for place in order), key=lambda cell: cell[0] in self.touched)
        self.taken |= {(customer, day), (customer, day + 1)}
        self.touched.add(customer)
        rows = np.flatnonzero((metered.events.customer == customer) & (metered.events.name == name) & (on == day))
        return _Cell(metered.company[customer], name, day, rows)

    def all_days(self) -> Sequence[int]:
        return range(self.metered.calendar.usage_days)

    def last_days(self, months: Sequence[date]) -> Sequence[int]:
        """The last day of each of these months."""
        first = self.metered.calendar.first_day
        return [(add_months(each, 1) - first).days - 1 for each in months]

    def answers(
        self, code: str, cell: _Cell, left: Sequence[int], right: Sequence[tuple[int, dict[str, int] | None]]
    ) -> Iterator[Answer]:
        """A line per metric: what the product has in these rows, and what Orb has that belongs to them."""
        on, customer = self.on(cell.day), cell.customer
        for product in METERED:
            if product.event_name != EVENT_NAMES[cell.name] or not product.metric:
                continue
            own = self.metered.events.quantities[product.code]
            here = sum(int(own[row]) for row in left)
            there = sum(changed[product.code] if changed else int(own[row]) for row, changed in right)
            if code in _QUANTITIES and here == there:
                continue
            key = f"{customer.id}/{product.metric}/{on}/{code}"
            difference = Decimal(number(here)) - Decimal(number(there))
            yield Answer(code, COMPARISON, "break", key, customer.id, month(on), product.metric, key, key, difference)


def ingest(metered: Metered, wanted: Sequence[str]) -> tuple[Metered, OrbEvents, list[Answer]]:
    """What reached Orb, the product's events as they were recorded (a late one is recorded late), and the answers.

    ValueError: a class finds too few events to carry it in so small a world.
    """
    events, calendar = metered.events, metered.calendar
    state = _Ingestion(
        metered,
        events.recorded_us.copy(),
        events.customer.copy(),
        events.occurred_us.copy(),
        {code: values.copy() for code, values in events.quantities.items()},
        np.ones(len(events), dtype=np.bool_),
        np.zeros(len(events), dtype=np.bool_),
        np.zeros(len(events), dtype=np.bool_),
        [_sent_again(metered)],
    )
    again = state.backfills[0]
    state.taken.add((again.customer.position, (again.start - instant(calendar.first_day)) // DAY))
    answers = list(_chained(state)) if set(CHAIN) <= set(wanted) else []
    answers += [
        answer
        for code, planted in PLANTS.items()
        if code in wanted
        for turn in range(times(len(metered.company), 3 if code == "event_missing_in_orb" else 2))
        for answer in planted(state, code, turn)
    ]
    recorded = np.lexsort((events.occurred_us, state.recorded_us))
    app = replace(metered, events=replace(events, recorded_us=state.recorded_us).taken(recorded))
    return app, _orb_events(state), answers


def _sent_again(metered: Metered) -> Backfill:
    """One hour of one customer that was sent again, the same: what a backfill looks like that changes nothing."""
    events = metered.events
    row = len(events) // 3
    start = int(events.occurred_us[row]) // MICRO // HOUR * HOUR
    return Backfill(metered.company[int(events.customer[row])], start, start + HOUR, "reflected")


def _orb_events(state: _Ingestion) -> OrbEvents:
    events = state.metered.events
    changed = replace(events, customer=state.customer, occurred_us=state.occurred_us, quantities=state.quantities)
    kept = np.flatnonzero(state.is_there)
    rows = np.concatenate([kept, np.array([row for row, *_ in state.extra], dtype=np.int64)])
    ingested = changed.taken(rows)
    quantities = {code: values.copy() for code, values in ingested.quantities.items()}
    ids = list(ingested.ids)
    for place, (_, event_id, others) in enumerate(state.extra, start=len(kept)):
        ids[place] = event_id
        for code, value in (others or {}).items():
            quantities[code][place] = value
    none = np.zeros(len(state.extra), dtype=np.bool_)
    deprecated, amended = (np.concatenate([mask[kept], none]) for mask in (state.deprecated, state.amended))
    return OrbEvents(replace(ingested, ids=ids, quantities=quantities), deprecated, amended, state.backfills)


def _hour(state: _Ingestion, row: int) -> int:
    return int(state.metered.events.occurred_us[row]) // MICRO // HOUR * HOUR


def _product(cell: _Cell) -> Product:
    """The first that an event of the cell counts."""
    return next(p for p in METERED if p.event_name == EVENT_NAMES[cell.name] and p.column)


def _changed(state: _Ingestion, cell: _Cell, row: int, factor: Decimal) -> dict[str, int]:
    """The quantities of an event with the first of them another: whole where its product counts whole things."""
    product = _product(cell)
    own = {p.code: int(state.metered.events.quantities[p.code][row]) for p in METERED}
    value = int(own[product.code] * factor)
    if product.unit == "token":
        value = value // MICRO * MICRO
    return own | {product.code: value if value != own[product.code] else value + MICRO}


def _largest(state: _Ingestion, cell: _Cell) -> int:
    product = _product(cell)
    return int(cell.rows[np.argmax(state.metered.events.quantities[product.code][cell.rows])])


def _event_missing(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """The sender gave some of a day's events up."""
    cell = state.cell(code, "three events of a name on a day", 3, state.all_days())
    rng = state.metered.keys.rng(f"defects/{code}/{turn}")
    lost = rng.choice(cell.rows, int(rng.integers(1, len(cell.rows))), replace=False)
    state.is_there[lost] = False
    yield from state.answers(code, cell, list(map(int, lost)), [])


def _record_late(state: _Ingestion, cell: _Cell, row: int) -> None:
    """An hour after the invoice was issued that bills the last day of a month."""
    issued = instant(state.on(cell.day) + timedelta(days=1)) + _ISSUED_WITHIN
    state.recorded_us[row] = (issued + HOUR) * MICRO
    state.is_there[row] = False


def _shift_period(state: _Ingestion, cell: _Cell, row: int) -> None:
    """Ten minutes into the next month."""
    state.occurred_us[row] = (instant(state.on(cell.day) + timedelta(days=1)) + HOUR // 6) * MICRO


def _chained(state: _Ingestion) -> Iterator[Answer]:
    """One event late and another in the next month, of the same use on the same day, and its invoice is to be dated anew."""
    late, shifted, _ = CHAIN
    before_last = state.metered.calendar.month_starts()[:-1]
    what = "two events of a name on the last day of a contract's month that is not the last"
    cell = state.cell("chain", what, 2, state.last_days(before_last), in_arrears=True)
    first, second = (int(row) for row in cell.rows[:2])
    _record_late(state, cell, first)
    _shift_period(state, cell, second)
    yield from state.answers(late, cell, [first], [])
    yield from state.answers(shifted, cell, [second], [(second, None)])


def _event_late(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Recorded after the invoice was issued, and not in Orb yet. Of the last month the next invoice is to come."""
    calendar = state.metered.calendar
    starts = calendar.month_starts()
    is_timing = turn == 0 or len(starts) < 2
    cell = state.cell(
        code, "an event on the last day of a month", 1, state.last_days([starts[-1]] if is_timing else starts[:-1])
    )
    row = _largest(state, cell)
    _record_late(state, cell, row)
    for answer in state.answers(code, cell, [row], []):
        yield replace(answer, status="timing" if is_timing else "break")


def _backfill_reverted(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Sent through a backfill that was undone two days later."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    hour = _hour(state, int(cell.rows[0]))
    gone = [int(row) for row in cell.rows if _hour(state, int(row)) == hour]
    state.is_there[gone] = False
    state.backfills.append(Backfill(cell.customer, hour, hour + HOUR, "reverted", len(gone)))
    yield from state.answers(code, cell, gone, [])


def _rescaled(state: _Ingestion, cell: _Cell, factor: Decimal) -> tuple[int, dict[str, int]]:
    """The largest event, and the quantities that Orb has of it now."""
    row = _largest(state, cell)
    changed = _changed(state, cell, row, factor)
    for product_code, value in changed.items():
        state.quantities[product_code][row] = value
    return row, changed


def _event_deprecated(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Switched off in Orb."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    row = _largest(state, cell)
    state.deprecated[row] = True
    yield from state.answers(code, cell, [row], [])


def _event_quantity_differs(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Truncated on the way: a tenth arrived."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    row, arrived = _rescaled(state, cell, Decimal("0.1"))
    yield from state.answers(code, cell, [row], [(row, arrived)])


def _event_amended(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Amended in Orb to half as much again: a search by id no longer finds it."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    row, amended = _rescaled(state, cell, Decimal("1.5"))
    state.amended[row] = True
    yield from state.answers(code, cell, [row], [(row, amended)])


def _event_wrong_customer(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """In Orb it is another customer's, of the same day."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    on = state.on(cell.day)
    others = [
        customer
        for customer in state.metered.company
        if customer.account_type == "customer"
        and customer.end is None
        and customer.start <= on
        and customer.id != cell.customer.id
        and (customer.position, cell.day) not in state.taken
    ]
    if not others:
        raise ValueError(f"{code}: no other customer is there on {on}; ask for more customers")
    other = others[int(state.metered.keys.rng(f"defects/{code}/{turn}").integers(len(others)))]
    state.taken |= {(other.position, cell.day)}
    row = _largest(state, cell)
    state.customer[row] = other.position
    yield from state.answers(code, cell, [row], [(row, None)])


def _period_shifted(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Counted ten minutes into the next month: another clock's midnight."""
    before_last = state.metered.calendar.month_starts()[:-1]
    cell = state.cell(code, "an event on the last day of a month that is not the last", 1, state.last_days(before_last))
    row = _largest(state, cell)
    _shift_period(state, cell, row)
    yield from state.answers(code, cell, [row], [(row, None)])


def _event_duplicated(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """Sent again under another key."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    row = _largest(state, cell)
    state.extra.append((row, state.metered.keys.id("evt_", f"{code}/{row}", 24), None))
    yield from state.answers(code, cell, [], [(row, None)])


def _event_unknown(state: _Ingestion, code: str, turn: int) -> Iterator[Answer]:
    """A script's, in a customer's name."""
    cell = state.cell(code, "an event on a day", 1, state.all_days())
    row = _largest(state, cell)
    made_up = _changed(state, cell, row, Decimal(3))
    state.extra.append((row, state.metered.keys.id("evt_", f"{code}/{row}", 24), made_up))
    yield from state.answers(code, cell, [], [(row, made_up)])


CHAIN = ("event_late", "period_shifted", "invoice_due_date_differs")
"""Planted on one use, day and invoice too: a late event on a shifted period of an invoice that is dated anew."""
_QUANTITIES = ("event_quantity_differs", "event_amended")
PLANTS: dict[str, Callable[[_Ingestion, str, int], Iterator[Answer]]] = {
    "event_late": _event_late,
    "period_shifted": _period_shifted,
    "event_missing_in_orb": _event_missing,
    "event_duplicated_in_orb": _event_duplicated,
    "event_unknown_to_app": _event_unknown,
    "event_quantity_differs": _event_quantity_differs,
    "event_wrong_customer": _event_wrong_customer,
    "event_amended": _event_amended,
    "event_deprecated": _event_deprecated,
    "backfill_reverted": _backfill_reverted,
}
