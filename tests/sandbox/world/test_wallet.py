"""The corners of a wallet's life that a small world does not reach by itself."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from sandbox import billing, company, usage
from sandbox.calendar import Calendar, add_months
from sandbox.catalogue import METERED
from sandbox.keyed import Keys
from sandbox.pricing import to_major

KEYS, CALENDAR = Keys(7), Calendar(2)


def world_of(video_seconds: dict[int, int]) -> tuple[company.Customer, dict[str, usage.Ints]]:
    """The first prepaid customer with so many video seconds on these days, and nothing else."""
    tenants = company.build(KEYS, CALENDAR, 12, 3000)
    used = {p.code: np.zeros((12, CALENDAR.usage_days, 4), dtype=np.int64) for p in METERED}
    for day, seconds in video_seconds.items():
        used["video_generation"][0, day, 0] = seconds * usage.MICRO
    return tenants[0], used


def test_days_of_a_month_telescope_to_its_line_even_over_a_bulk_tier() -> None:
    customer, used = world_of({0: 90_000, 1: 20_000, 40: 10})
    costs = billing.costs_by_day(CALENDAR, customer, used)
    assert costs == {
        (0, "video_generation"): 36_000_00,
        (1, "video_generation"): (35_200 - 36_000) * 100,
        (40, "video_generation"): 4_00,
    }


def test_a_month_that_falls_into_a_cheaper_bulk_tier_gives_credits_back() -> None:
    customer, used = world_of(dict.fromkeys(range(25), 4_000) | {25: 10})
    wallet = billing.run_wallet(KEYS, CALENDAR, customer, used)
    month = CALENDAR.first_day
    entries = [entry for entry in wallet.entries if entry.kind in ("decrement", "amendment")]
    assert any(entry.kind == "amendment" for entry in entries)
    assert -sum(entry.amount for entry in entries) == wallet.drawn[month, "video_generation"] > 0
    invoices = billing.build_invoices(
        KEYS, CALENDAR, company.build(KEYS, CALENDAR, 12, 3000), used, {customer.id: wallet}
    )
    invoice = next(i for i in invoices if i.customer.id == customer.id and i.period_end == add_months(month, 1))
    line = next(line for line in invoice.lines if line.price.product.code == "video_generation")
    assert to_major(line.subtotal, "USD") == Decimal("32003.20") == to_major(line.amount + line.credits, "USD")


def test_credits_that_expire_are_gone_from_ledger_and_wallet() -> None:
    customer, used = world_of({0: 1, 50: 1})
    wallet = billing.run_wallet(KEYS, CALENDAR, customer, used)
    expired = [entry for entry in wallet.entries if entry.kind == "credit_block_expiry"]
    assert expired
    assert all(entry.block.remaining == 0 and entry.at == entry.block.expires_at for entry in expired)
    assert [t.amount for t in wallet.transactions if t.kind == "expiry"] == [entry.amount for entry in expired]
