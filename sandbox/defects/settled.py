"""Between Stripe's balance and its payouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import timedelta

from sandbox.calendar import HOUR, day_of, instant, next_weekday
from sandbox.catalogue import money
from sandbox.defects.base import Answer, Carrier, Views, choose, find, month
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, stripe
from sandbox.views.bank import Deposit

COMPOSITION = "settled__payouts_vs_transactions"
LISTS = "settled__transactions_vs_payout_lists"
FAILED = "settled__failed_payouts_vs_returns"
ROLLED = "settled__rolled_balance_vs_unsettled"


def _settled(
    code: str, comparison: str, match_key: str, payout: Object, left: str, right: str | None, minor: int
) -> Answer:
    currency = payout["currency"].upper()
    return Answer(
        cause=code,
        comparison=comparison,
        status="break",
        match_key=match_key,
        customer_id=None,
        period=month(day_of(payout["created"])),
        currency=currency,
        left_ref=left,
        right_ref=right,
        difference=to_major(minor, currency),
    )


def _automatic(views: Views) -> dict[str, Object]:
    """Automatic payouts that arrived, and that the bank names by their trace id or not: each in a deposit of its own."""
    alone = {deposit.payout_ids[0] for deposit in views.deposits if len(deposit.payout_ids) == 1}
    return {
        p["id"]: p for p in views.stripe["payouts"] if p["automatic"] and p["status"] == "paid" and p["id"] in alone
    }


def _carriers(payouts: Iterable[Object]) -> Iterable[Carrier]:
    return (Carrier(payout["id"], "", payout["currency"].upper()) for payout in payouts)


def _deposit_of(views: Views, payout_id: str) -> Deposit:
    return next(deposit for deposit in views.deposits if deposit.payout_ids == (payout_id,))


def _debit_of(views: Views, payout: Object) -> Object:
    return find(views.stripe["balance_transactions"], payout["balance_transaction"])


def _free_amount(views: Views, currency: str, minor: int) -> int:
    """The first amount from `minor` up that no deposit of the currency has, so that it tells a payout apart."""
    while minor in {deposit.amount for deposit in views.deposits if deposit.currency == currency}:
        minor += 1
    return minor


def _payout_composition_differs(views: Views, code: str) -> list[Answer]:
    """Stripe paid about a tenth less than the transactions come to, or more; its balance and the bank say the same."""
    payouts = _automatic(views)
    answers = []
    for turn, carrier in enumerate(choose(views, code, "automatic payouts", _carriers(payouts.values()))):
        payout = payouts[carrier.id]
        tenth = max(1, payout["amount"] // 10) * (1 if turn % 2 else -1)
        paid = _free_amount(views, carrier.currency, payout["amount"] + tenth)
        difference = paid - payout["amount"]
        payout["amount"] = _deposit_of(views, payout["id"]).amount = paid
        _debit_of(views, payout).update(amount=-paid, net=-paid)
        answers.append(_settled(code, COMPOSITION, carrier.id, payout, carrier.id, carrier.id, difference))
    return answers


def _transaction_in_two_payouts(views: Views, code: str) -> list[Answer]:
    """The next automatic payout lists a payment again; its amount is that of its own transactions."""
    transactions = {t["id"]: t for t in views.stripe["balance_transactions"] if t["net"] > 0 and t["type"] != "payout"}
    payouts = {p["id"]: p for p in views.stripe["payouts"] if p["automatic"]}
    lists = views.stripe["payout_transactions"]
    again: dict[str, tuple[Object, Object]] = {}
    for line in lists:
        first, transaction = payouts[line["payout"]], transactions.get(line["balance_transaction"])
        later = [
            payout
            for payout in payouts.values()
            if payout["currency"] == first["currency"] and payout["created"] > first["created"]
        ]
        if transaction and later and transaction["id"] not in again:
            again[transaction["id"]] = (transaction, min(later, key=lambda payout: payout["created"]))
    free = [
        Carrier(transaction_id, "", transaction["currency"].upper())
        for transaction_id, (transaction, payout) in again.items()
        if payout["id"] not in views.taken
    ]
    answers = []
    for carrier in choose(views, code, "transactions with a later payout", free):
        transaction, payout = again[carrier.id]
        views.taken.add(payout["id"])
        lists.append({"payout": payout["id"], "balance_transaction": carrier.id})
        key = f"{payout['id']}/{carrier.id}"
        answers.append(_settled(code, LISTS, key, payout, carrier.id, key, -transaction["net"]))
    return answers


def _payout_failed(views: Views, code: str) -> list[Answer]:
    """The bank sent it back, and the balance never got it."""
    payouts = _automatic(views)
    answers = []
    for carrier in choose(views, code, "automatic payouts", _carriers(payouts.values())):
        payout = payouts[carrier.id]
        stripe.fail(payout)
        views.deposits.remove(_deposit_of(views, carrier.id))
        answers.append(_settled(code, FAILED, carrier.id, payout, carrier.id, None, payout["amount"]))
    return answers


def _payout_unattributed(views: Views, code: str) -> list[Answer]:
    """Paid out by hand just after an automatic payout had emptied the balance: no transaction brought that money in."""
    keys = views.keys
    rng = keys.rng(f"defects/{code}/amounts")
    last = views.world.calendar.cash_end - timedelta(days=7)
    emptied = {p["id"]: p for p in _automatic(views).values() if day_of(p["created"]) < last}
    answers = []
    # the payout before it is only the occasion: it carries nothing, and other plants may have it
    occasions = [Carrier(f"{payout_id}/emptied", "", p["currency"].upper()) for payout_id, p in emptied.items()]
    for carrier in choose(views, code, "automatic payouts", occasions):
        before = emptied[carrier.id.removesuffix("/emptied")]
        at = before["created"] + 2 * HOUR
        arrival = next_weekday(day_of(at))
        payout_id, transaction_id = keys.id("po_1", carrier.id, 23), keys.id("txn_1", carrier.id, 23)
        trace_id = keys.id("", f"trace/{payout_id}", 15).upper()
        whole = to_minor(money(str(int(rng.integers(3, 9)) * 100), carrier.currency), carrier.currency)
        amount = _free_amount(views, carrier.currency, whole)
        payout = stripe.payout(keys, payout_id, carrier.currency, amount, at, instant(arrival), trace_id) | {
            "automatic": False,
            "balance_transaction": transaction_id,
            "reconciliation_status": "not_applicable",
        }
        debits = (t for t in views.stripe["balance_transactions"] if t["type"] == "payout" and not t["fee"])
        debit = next(debits) | {
            "id": transaction_id,
            "amount": -amount,
            "available_on": instant(arrival),
            "created": at,
            "currency": payout["currency"],
            "net": -amount,
            "source": payout_id,
        }
        views.stripe["payouts"].append(payout)
        views.stripe["balance_transactions"].append(debit)
        deposit = Deposit(carrier.currency, amount, arrival, f"STRIPE TRANSFER {trace_id}", trace_id, (payout_id,))
        views.deposits.append(deposit)
        views.taken.add(payout_id)
        answers.append(_settled(code, COMPOSITION, payout_id, payout, payout_id, None, amount))
    return answers


def _balance_rollforward_breaks(views: Views, code: str) -> list[Answer]:
    """A payout was never taken from the balance, or twice; in a month and currency without another such."""
    cells: dict[str, list[Object]] = {}
    for payout in _automatic(views).values():
        if payout["id"] not in views.taken:
            cell = f"{payout['currency'].upper()}/{month(day_of(payout['created']))}"
            cells.setdefault(cell, []).append(payout)
    answers = []
    carriers = [Carrier(cell, "", cell[:3]) for cell in cells]
    for turn, carrier in enumerate(choose(views, code, "months with an automatic payout", carriers)):
        payout = cells[carrier.id][0]
        views.taken.add(payout["id"])
        debit = _debit_of(views, payout)
        if turn % 2:
            again = deepcopy(debit) | {"id": views.keys.id("txn_1", f"{debit['id']}/again", 23)}
            views.stripe["balance_transactions"].append(again)
        else:
            views.stripe["balance_transactions"].remove(debit)
            views.stripe["payout_transactions"].remove({"payout": payout["id"], "balance_transaction": debit["id"]})
            payout["balance_transaction"] = None
        difference = payout["amount"] * (-1 if turn % 2 else 1)
        answers.append(_settled(code, ROLLED, carrier.id, payout, carrier.id, carrier.id, difference))
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "transaction_in_two_payouts": _transaction_in_two_payouts,
    "balance_rollforward_breaks": _balance_rollforward_breaks,
    "payout_composition_differs": _payout_composition_differs,
    "payout_failed": _payout_failed,
    "payout_unattributed": _payout_unattributed,
}
