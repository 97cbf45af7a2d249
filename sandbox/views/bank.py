"""The bank's view: one collections account a currency, Stripe's payouts coming in, monthly sweeps going out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.calendar import Calendar, next_weekday
from sandbox.catalogue import CURRENCIES, money
from sandbox.keyed import Keys
from sandbox.pricing import to_major, to_minor
from sandbox.world import World

COLUMNS = (
    "line_id",
    "account_id",
    "booked_on",
    "value_on",
    "amount",
    "currency",
    "description",
    "reference",
    "balance",
)
_UNREFERENCED_SHARE = 0.15


@dataclass
class Deposit:
    """Money coming in. `payout_ids`: what it pays, nothing for a stranger's money. `line_id` is set with the statement."""

    currency: str
    amount: int
    booked_on: date
    description: str
    reference: str
    payout_ids: tuple[str, ...]
    line_id: str = ""

    @property
    def ref(self) -> str:
        """The statement line's id across accounts."""
        return f"{account_id(self.currency)}/{self.line_id}"


def account_id(currency: str) -> str:
    """The collections account of a currency."""
    return f"{currency.lower()}_collections"


def deposits(world: World) -> list[Deposit]:
    """Every payout that arrives, on its day; most with the trace id as reference, some with none.

    Without one only the amount tells which payout it is, so payouts of equal amount always carry it.
    """
    rng = world.keys.rng("bank/references")
    arriving = [payout for payout in world.cash.payouts if not payout.returned]
    amounts = Counter((payout.currency, payout.amount) for payout in arriving)
    built = []
    for payout in arriving:
        has_reference = bool(rng.random() >= _UNREFERENCED_SHARE) or amounts[payout.currency, payout.amount] > 1
        description = f"STRIPE TRANSFER {payout.trace_id}" if has_reference else "STRIPE PAYOUT"
        reference = payout.trace_id if has_reference else ""
        built.append(Deposit(payout.currency, payout.amount, payout.arrival, description, reference, (payout.id,)))
    return built


def statements(keys: Keys, calendar: Calendar, credits: Sequence[Deposit]) -> dict[str, list[dict[str, str]]]:
    """The accounts' lines, by account id, numbered and with running balances; numbers each deposit's `line_id`."""
    accounts = {}
    for currency in CURRENCIES:
        by_day: dict[date, list[Deposit]] = defaultdict(list)
        for deposit in credits:
            if deposit.currency == currency:
                by_day[deposit.booked_on].append(deposit)
        lines: list[dict[str, str]] = []
        balance = 0
        day = calendar.first_day
        while day <= calendar.now:
            for deposit in by_day.pop(day, []):
                balance += deposit.amount
                deposit.line_id = _append(
                    lines, currency, day, deposit.amount, balance, deposit.description, deposit.reference
                )
            if balance > 0 and _is_sweep_day(day):
                reference = keys.id("SWP", f"{currency}/{day}", 10).upper()
                _append(lines, currency, day, -balance, 0, "SWEEP TO OPERATING ACCOUNT", reference)
                balance = 0
            day += timedelta(days=1)
        fee = to_minor(money("5", currency), currency)
        _append(lines, currency, calendar.now, -fee, balance - fee, "ACCOUNT FEE", "")
        if by_day:
            raise ValueError(f"{account_id(currency)}: deposits are booked outside the window, on {sorted(by_day)}")
        accounts[account_id(currency)] = lines
    return accounts


def _is_sweep_day(day: date) -> bool:
    """The first banking day after the second of the month."""
    return day == next_weekday(day.replace(day=2))


def _append(
    lines: list[dict[str, str]], currency: str, day: date, amount: int, balance: int, description: str, reference: str
) -> str:
    line_id = f"{currency}{day:%Y%m}{len(lines) + 1:05d}"
    values = (
        line_id,
        account_id(currency),
        day.isoformat(),
        day.isoformat(),
        format(to_major(amount, currency), "f"),
        currency,
        description,
        reference,
        format(to_major(balance, currency), "f"),
    )
    lines.append(dict(zip(COLUMNS, values, strict=True)))
    return line_id
