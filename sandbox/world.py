"""The truth: what happened, before any system's view of it and before any finished view is tampered with."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from sandbox import billing, cash, company, usage
from sandbox.billing import Invoice, Wallet
from sandbox.calendar import Calendar
from sandbox.cash import Cash
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.usage import Events, Ints


@dataclass(frozen=True)
class Metered:
    """What the product recorded, for whom."""

    keys: Keys
    calendar: Calendar
    company: list[Customer]
    events: Events


@dataclass(frozen=True)
class Backfill:
    """Events of a customer and timeframe (seconds) that were sent again. `ingested`: how many; None of one that replaced
    what was there. One that is `reverted` was undone."""

    customer: Customer
    start: int
    end: int
    status: str
    ingested: int | None = None


@dataclass(frozen=True)
class OrbEvents:
    """What reached Orb: its own events, those among them that are switched off, those that were amended, the backfills."""

    events: Events
    deprecated: NDArray[np.bool_]
    amended: NDArray[np.bool_]
    backfills: list[Backfill]


@dataclass(frozen=True)
class Billed(Metered):
    """What Orb made of the events that reached it.

    `orb_events`: what Orb ingested; `orb_usage` and all that follows is computed from those alone.
    """

    orb_events: OrbEvents
    orb_usage: dict[str, Ints]
    wallets: dict[str, Wallet]
    invoices: list[Invoice]


@dataclass(frozen=True)
class World(Billed):
    """And what Stripe made of that."""

    cash: Cash


def meter(keys: Keys, calendar: Calendar, customers: int, events: int) -> Metered:
    """Customers and their usage. ValueError: too few customers or months for a world."""
    if calendar.months < 1:
        raise ValueError(f"months is {calendar.months}: a world needs at least 1")
    tenants = company.build(keys, calendar, customers, events)
    return Metered(keys, calendar, tenants, usage.build(keys, calendar, tenants, events))


def bill(metered: Metered, in_orb: OrbEvents) -> Billed:
    """Credits drawn and invoices issued for the events that reached Orb."""
    keys, calendar, tenants = metered.keys, metered.calendar, metered.company
    orb_usage = usage.daily(in_orb.events, calendar, len(tenants), ~in_orb.deprecated)
    wallets = {c.id: billing.run_wallet(keys, calendar, c, orb_usage) for c in tenants if c.contract is None}
    invoices = billing.build_invoices(keys, calendar, tenants, orb_usage, wallets)
    return Billed(keys, calendar, tenants, metered.events, in_orb, orb_usage, wallets, invoices)


def collect(billed: Billed) -> World:
    """Everything that happens to the money of these invoices and top-ups."""
    money = cash.build(billed.keys, billed.calendar, billed.company, billed.invoices, billed.wallets)
    return World(**{field.name: getattr(billed, field.name) for field in fields(billed)}, cash=money)
