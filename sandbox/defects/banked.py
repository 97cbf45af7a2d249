"""Between Stripe's payouts and the bank's statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, pairwise

from sandbox.calendar import add_months, day_of
from sandbox.catalogue import money
from sandbox.defects.base import Answer, Carrier, Views, choose, month
from sandbox.pricing import to_major, to_minor
from sandbox.views.bank import Deposit

COMPARISON = "banked__payouts_vs_bank"


def _banked(
    code: str,
    status: str,
    match_key: str | Deposit,
    deposit: Deposit,
    left: str | None,
    right: Deposit | tuple[Deposit, ...] | None,
    minor: int,
) -> Answer:
    return Answer(
        cause=code,
        comparison=COMPARISON,
        status=status,
        match_key=match_key,
        customer_id=None,
        period=month(deposit.booked_on),
        currency=deposit.currency,
        left_ref=left,
        right_ref=right,
        difference=to_major(minor, deposit.currency),
    )


def _single(views: Views, carriers: Iterable[Deposit], code: str, what: str) -> list[Deposit]:
    """Chosen deposits that pay one payout each."""
    by_payout = {deposit.payout_ids[0]: deposit for deposit in carriers if len(deposit.payout_ids) == 1}
    chosen = choose(views, code, what, (Carrier(p, "", d.currency) for p, d in by_payout.items()))
    return [by_payout[carrier.id] for carrier in chosen]


def _deposit_late(views: Views, code: str) -> list[Answer]:
    """Not booked yet, and its window is still open."""
    waiting = [deposit for deposit in views.deposits if deposit.booked_on > views.world.calendar.cash_end]
    answers = []
    for deposit in _single(views, waiting, code, "payouts of the last week"):
        views.deposits.remove(deposit)
        payout_id = deposit.payout_ids[0]
        answers.append(_banked(code, "timing", payout_id, deposit, payout_id, None, deposit.amount))
    return answers


def _settled(views: Views) -> list[Deposit]:
    """Deposits whose window has long closed."""
    return [d for d in views.deposits if d.booked_on <= views.world.calendar.cash_end - timedelta(days=7)]


def _deposit_combined(views: Views, code: str) -> list[Answer]:
    """Two payouts that followed each other came as one deposit, without a reference, on the day of the later.

    No other payout of the currency comes to that sum, nor do any other two around that day.
    """
    follows: dict[str, tuple[Deposit, Deposit]] = {}
    settled = sorted(_settled(views), key=lambda d: (d.currency, d.booked_on, d.payout_ids))
    payouts = [payout for payout in views.stripe["payouts"] if payout["status"] == "paid"]
    for earlier, later in pairwise(settled):
        both = (*earlier.payout_ids, *later.payout_ids)
        is_plain = len(both) == 2 and not views.taken & set(both) and earlier.currency == later.currency
        if is_plain and later.booked_on - earlier.booked_on <= timedelta(days=6):
            total = earlier.amount + later.amount
            own = [payout for payout in payouts if payout["currency"] == later.currency.lower()]
            window = timedelta(days=10)
            near = [p["amount"] for p in own if abs(day_of(p["arrival_date"]) - later.booked_on) <= window]
            rivals = sum(sum(pair) == total for pair in combinations(near, 2))
            if rivals == 1 and total not in {payout["amount"] for payout in own}:
                follows[earlier.payout_ids[0]] = (earlier, later)
    answers: list[Answer] = []
    carriers = [Carrier(payout_id, "", pair[0].currency) for payout_id, pair in follows.items()]
    for _ in range(views.times):
        free = [carrier for carrier in carriers if not views.taken & set(follows[carrier.id][1].payout_ids)]
        taken_currencies = {answer.currency for answer in answers}
        fresh = [carrier for carrier in free if carrier.currency not in taken_currencies] or free
        earlier, later = follows[choose(views, code, "neighbouring payouts", fresh, 1)[0].id]
        both = (*earlier.payout_ids, *later.payout_ids)
        views.taken |= set(both)
        combined = Deposit(earlier.currency, earlier.amount + later.amount, later.booked_on, "STRIPE PAYOUT", "", both)
        views.deposits[views.deposits.index(later)] = combined
        views.deposits.remove(earlier)
        answers.append(_banked(code, "matched", combined, combined, ",".join(both), combined, 0))
    return answers


def _deposit_split(views: Views, code: str) -> list[Answer]:
    """One payout came as two deposits of a day, each with the payout's reference if it has one."""
    answers = []
    for whole in _single(views, _settled(views), code, "payouts whose window has closed"):
        more = whole.amount * 4 // 7
        parts = (replace(whole, amount=more), replace(whole, amount=whole.amount - more))
        place = views.deposits.index(whole)
        views.deposits[place : place + 1] = parts
        answers.append(_banked(code, "matched", whole.payout_ids[0], whole, whole.payout_ids[0], parts, 0))
    return answers


def _payout_not_in_bank(views: Views, code: str) -> list[Answer]:
    """Stripe says paid, the bank never saw it."""
    answers = []
    for deposit in _single(views, _settled(views), code, "payouts whose window has closed"):
        views.deposits.remove(deposit)
        payout_id = deposit.payout_ids[0]
        answers.append(_banked(code, "break", payout_id, deposit, payout_id, None, deposit.amount))
    return answers


def _deposit_amount_differs(views: Views, code: str) -> list[Answer]:
    """The bank kept a fee of about 15 dollars from a deposit that names its payout."""
    fees = {currency: to_minor(money("15", currency), currency) for currency in ("USD", "EUR", "JPY")}
    named = [d for d in _settled(views) if d.reference and d.amount > 2 * fees[d.currency]]
    answers = []
    for deposit in _single(views, named, code, "payouts whose window has closed"):
        deposit.amount -= fees[deposit.currency]
        payout_id = deposit.payout_ids[0]
        answers.append(_banked(code, "break", payout_id, deposit, payout_id, deposit, fees[deposit.currency]))
    return answers


def _deposit_unknown(views: Views, code: str) -> list[Answer]:
    """A stranger's wire on a day of the window, of an amount that no payout has."""
    rng = views.keys.rng(f"defects/{code}/amounts")
    carriers = [Carrier(f"stranger/{currency}", "", currency) for currency in ("USD", "EUR", "JPY")]
    answers = []
    for turn, carrier in enumerate(choose(views, code, "accounts", carriers)):
        amount = to_minor(money(str(int(rng.integers(200, 900))), carrier.currency), carrier.currency) + 37
        while amount in {deposit.amount for deposit in views.deposits if deposit.currency == carrier.currency}:
            amount += 1
        booked_on = add_months(views.world.calendar.first_day, views.world.calendar.months - 1) + timedelta(
            days=14 + turn
        )
        reference = views.keys.id("INV", carrier.id, 8).upper()
        deposit = Deposit(carrier.currency, amount, booked_on, "INCOMING WIRE NORTHWIND TRADING", reference, ())
        views.deposits.append(deposit)
        answers.append(_banked(code, "break", deposit, deposit, None, deposit, -amount))
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "deposit_late": _deposit_late,
    "deposit_combined": _deposit_combined,
    "deposit_split": _deposit_split,
    "payout_not_in_bank": _payout_not_in_bank,
    "deposit_amount_differs": _deposit_amount_differs,
    "deposit_unknown": _deposit_unknown,
}
