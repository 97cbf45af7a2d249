"""Between what is due and the Stripe balance: payments, charges, refunds, credit notes, disputes, fees.

Money that a plant adds moves on the last day, when it has not been paid out yet: no payout and no deposit changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from sandbox import cash
from sandbox.billing import Dispute
from sandbox.calendar import DAY, HOUR, day_of, instant, iso
from sandbox.cash import CONTRACT_METHOD, Payment, Refund
from sandbox.catalogue import money
from sandbox.defects.base import Answer, Carrier, Views, choose, find, month
from sandbox.defects.invoiced import (
    agree,
    choose_paid,
    credit_in_orb,
    credit_in_stripe,
    open_invoices,
    paid_invoices,
    pair,
    refund,
    unsettled,
)
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, orb, stripe

INVOICES = "collected__invoices_vs_payments"
CHARGES = "collected__payments_vs_charges"
TRANSACTIONS = "collected__movements_vs_balance_transactions"
FEES = "collected__fees_vs_schedule"
REFUNDS = "collected__refunds_vs_credit_notes"
DAYS_TO_SECOND_CHARGE = 60


def _answer(
    code: str,
    comparison: str,
    carrier: Carrier,
    at: int,
    left_ref: str | None,
    right_ref: str | None,
    minor: int,
    *,
    status: str = "break",
    is_second_claim: bool = False,
) -> Answer:
    match_key = right_ref if left_ref is None or is_second_claim else left_ref
    assert match_key is not None
    return Answer(
        cause=code,
        comparison=comparison,
        status=status,
        match_key=match_key,
        customer_id=carrier.customer_id,
        period=month(day_of(at)),
        currency=carrier.currency,
        left_ref=left_ref,
        right_ref=right_ref,
        difference=to_major(minor, carrier.currency),
    )


def _collect(views: Views, payment: Payment) -> None:
    """Takes the money: payment intent, charge and balance transaction, not paid out yet."""
    (charge,) = stripe.charges(views.keys, payment, [])
    transaction = cash.charge_transaction(views.keys, payment)
    views.besides.payments.append(payment)
    views.besides.transactions.append(transaction)
    views.stripe["payment_intents"].append(stripe.payment_intent(payment))
    views.stripe["charges"].append(charge)
    views.stripe["balance_transactions"].append(stripe.balance_transaction(views.world.calendar, transaction))


def _pay(views: Views, carrier: Carrier, at: int, amount: int) -> tuple[Object, Object, Payment, Object]:
    """Pays an open invoice, whatever the amount, and tells Orb. Returns both invoices, the payment and what it pays."""
    orb_invoice, invoice = pair(views, carrier.id)
    source = next(found for found in views.world.invoices if found.id == orb_invoice["id"])
    method = CONTRACT_METHOD[source.customer.currency] if source.customer.contract else "card"
    payment = cash.pay(views.keys, f"{source.id}/late", source.customer, amount, at, method)
    payment = replace(payment, invoice_id=source.id)
    paid = stripe.invoice_payment(views.keys, source, payment, 0)
    views.stripe["invoice_payments"].append(paid)
    invoice |= {
        "amount_paid": amount,
        "amount_remaining": invoice["amount_due"] - amount,
        "attempt_count": 1,
        "attempted": True,
        "status": "paid",
    }
    invoice["status_transitions"]["paid_at"] = at
    orb_invoice |= {
        "status": "paid",
        "paid_at": iso(at),
        "payment_started_at": iso(at),
        "payment_attempts": orb.payment_attempts(views.keys, [payment]),
    }
    return orb_invoice, invoice, payment, paid


def _underpaid(views: Views, code: str) -> list[Answer]:
    """A tenth is missing, and the invoice is closed as paid."""
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices", open_invoices(views))):
        due = find(views.stripe["invoices"], carrier.id)["amount_due"]
        short = max(1, due // 10)
        _, invoice, payment, paid = _pay(views, carrier, unsettled(views, turn), due - short)
        _collect(views, payment)
        answers.append(_answer(code, INVOICES, carrier, invoice["created"], invoice["id"], paid["id"], short))
    return answers


def _paid_out_of_band(views: Views, code: str) -> list[Answer]:
    """Marked as paid outside of Stripe; no payment says so."""
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices", open_invoices(views))):
        due = find(views.stripe["invoices"], carrier.id)["amount_due"]
        orb_invoice, invoice, payment, paid = _pay(views, carrier, unsettled(views, turn), due)
        record = views.keys.id("payrec_1", payment.intent_id, 23)
        paid["payment"] = {"payment_record": record, "type": "payment_record"}
        invoice |= {"amount_paid_off_stripe": due, "attempt_count": 0, "attempted": False}
        orb_invoice |= {"payment_attempts": [], "payment_started_at": None}
        answers.append(_answer(code, INVOICES, carrier, invoice["created"], invoice["id"], paid["id"], due))
    return answers


def _payment_begun(views: Views, code: str, status: str, at: int) -> list[Answer]:
    """A bank debit begun that the bank has not said yes to."""
    answers = []
    for carrier in choose(views, code, "open invoices", open_invoices(views)):
        due = find(views.stripe["invoices"], carrier.id)["amount_due"]
        orb_invoice, invoice, payment, paid = _pay(views, carrier, at, due)
        (charge,) = stripe.charges(views.keys, payment, [])
        charge |= {"status": "pending", "paid": False, "balance_transaction": None}
        views.stripe["charges"].append(charge)
        intent = stripe.payment_intent(payment) | {"status": "processing", "amount_received": 0}
        views.stripe["payment_intents"].append(intent)
        paid |= {"status": "open", "amount_paid": None}
        paid["status_transitions"]["paid_at"] = None
        invoice |= {"status": "open", "amount_paid": 0, "amount_remaining": due}
        invoice["status_transitions"]["paid_at"] = None
        orb_invoice |= {"status": "synced", "paid_at": None, "payment_attempts": []}
        answers.append(_answer(code, INVOICES, carrier, invoice["created"], carrier.id, paid["id"], due, status=status))
    return answers


def _payment_pending(views: Views, code: str) -> list[Answer]:
    """On its way since yesterday."""
    return _payment_begun(views, code, "timing", unsettled(views))


def _payment_overdue(views: Views, code: str) -> list[Answer]:
    """Two weeks on its way, and still neither paid nor refused."""
    return _payment_begun(views, code, "break", unsettled(views) - 13 * DAY)


def _overpaid(views: Views, code: str) -> list[Answer]:
    """A credit note lowered what was due an hour after issuing, the customer paid the full amount all the same."""
    answers = []
    for carrier, invoice, payments in choose_paid(views, code, paid_invoices(views)):
        at = (invoice.issued_at or 0) + HOUR
        note = cash.credit(views.keys, invoice, at, is_post_payment=False)
        credit_in_orb(views, note)
        credit_in_stripe(views, note)
        paid_invoice = find(views.stripe["invoices"], carrier.id)
        paid_invoice["amount_due"] -= note.total
        paid_invoice["amount_overpaid"] = note.total
        paid = [found["id"] for found in views.stripe["invoice_payments"] if found["invoice"] == carrier.id]
        right = paid[0] if len(payments) == 1 else f"{carrier.id}/payments"
        answers.append(_answer(code, INVOICES, carrier, paid_invoice["created"], carrier.id, right, -note.total))
    return answers


def _charged_twice(views: Views, code: str) -> list[Answer]:
    """Somebody charged the customer again by hand: same amount, nothing that it pays for."""
    since = instant(views.world.calendar.now) - (DAYS_TO_SECOND_CHARGE - 1) * DAY
    amounts = [(p.customer.id, p.amount) for p in views.world.cash.payments if p.at >= since - 2 * DAY]
    recent = (
        (carrier, invoice, payments)
        for carrier, invoice, payments in paid_invoices(views)
        if payments[0].at >= since and amounts.count((carrier.customer_id, payments[0].amount)) == 1
    )
    answers = []
    for turn, (carrier, _, payments) in enumerate(choose_paid(views, code, recent)):
        first = payments[0]
        at = unsettled(views, turn)
        again = cash.pay(views.keys, f"{first.intent_id}/again", first.customer, first.amount, at, first.method)
        _collect(views, again)
        refs = first.intent_id, again.charge_id
        answers.append(_answer(code, CHARGES, carrier, at, *refs, -first.amount, is_second_claim=True))
    return answers


def _payment_customer_differs(views: Views, code: str) -> list[Answer]:
    """Paid with the card or account of another customer with the same currency."""
    rng = views.keys.rng(f"defects/{code}/others")
    answers = []
    for carrier, _, payments in choose_paid(views, code, paid_invoices(views)):
        payment = payments[0]
        others = [c for c in views.world.company if c.currency == carrier.currency and c.id != carrier.customer_id]
        payer = others[int(rng.integers(len(others)))].stripe_customer_id
        charge = find(views.stripe["charges"], payment.charge_id)
        charge["customer"] = find(views.stripe["payment_intents"], payment.intent_id)["customer"] = payer
        at = find(views.stripe["payment_intents"], payment.intent_id)["created"]
        answers.append(_answer(code, CHARGES, carrier, at, payment.intent_id, payment.charge_id, 0))
    return answers


def _charge_unapplied(views: Views, code: str) -> list[Answer]:
    """Money taken for nothing that anybody billed, of an amount that the customer never paid otherwise."""
    rng = views.keys.rng(f"defects/{code}/amounts")
    customers = {f"unapplied/{c.id}": c for c in views.world.company if c.account_type == "customer" and c.end is None}
    carriers = [Carrier(name, customer.id, customer.currency) for name, customer in customers.items()]
    answers = []
    for turn, carrier in enumerate(choose(views, code, "customers", carriers)):
        amount = to_minor(money(str(int(rng.integers(40, 400))), carrier.currency), carrier.currency) + 3
        while amount in {p.amount for p in views.world.cash.payments if p.customer.id == carrier.customer_id}:
            amount += 1
        at = unsettled(views, turn)
        payment = cash.pay(views.keys, carrier.id, customers[carrier.id], amount, at, "card")
        _collect(views, payment)
        answers.append(_answer(code, CHARGES, carrier, at, None, payment.charge_id, -amount))
    return answers


def _refund_without_credit_note(views: Views, code: str) -> list[Answer]:
    """Refunded in Stripe's dashboard; the invoice says that nothing was given back."""
    answers = []
    for turn, (carrier, invoice, payments) in enumerate(choose_paid(views, code, paid_invoices(views))):
        at = unsettled(views, turn)
        note, returned = cash.credit_and_refund(views.keys, invoice, payments[0], at)
        agree(views, note)
        refund(views, returned)
        answers.append(_answer(code, REFUNDS, carrier, at, returned.id, None, returned.amount))
    return answers


def _credit_note_without_refund(views: Views, code: str) -> list[Answer]:
    """A credit note says that the money went back outside of Stripe; no refund did."""
    answers = []
    for turn, (carrier, invoice, _) in enumerate(choose_paid(views, code, paid_invoices(views))):
        at = unsettled(views, turn)
        note = cash.credit(views.keys, invoice, at, is_post_payment=True)
        credit_in_orb(views, note)
        credit_in_stripe(views, note)
        answers.append(_answer(code, REFUNDS, carrier, at, None, note.stripe_id, -note.total))
    return answers


def _credited_and_refunded(views: Views, code: str) -> Iterator[tuple[Carrier, Refund, Object, str]]:
    """Chosen paid invoices, each with a credit note in both systems and its refund. Yields Stripe's refund, too, and the
    credit note's id."""
    for turn, (carrier, invoice, payments) in enumerate(choose_paid(views, code, paid_invoices(views))):
        note, returned = cash.credit_and_refund(views.keys, invoice, payments[0], unsettled(views, turn))
        credit_in_orb(views, note)
        credit_in_stripe(views, note)
        yield carrier, returned, refund(views, returned), note.stripe_id


def _refund_failed(views: Views, code: str) -> list[Answer]:
    """The customer's account was closed: the money came back half an hour later."""
    answers = []
    for carrier, returned, made, note_id in _credited_and_refunded(views, code):
        taken = find(views.stripe["balance_transactions"], made["balance_transaction"])
        came_back = deepcopy(taken) | {
            "id": views.keys.id("txn_1", f"{returned.id}/failed", 23),
            "amount": -taken["amount"],
            "net": -taken["net"],
            "created": returned.at + HOUR // 2,
            "description": "REFUND FAILURE",
            "reporting_category": "refund_failure",
            "type": "refund_failure",
        }
        views.stripe["balance_transactions"].append(came_back)
        made |= {
            "status": "failed",
            "failure_reason": "expired_or_canceled_card",
            "failure_balance_transaction": came_back["id"],
        }
        charge = find(views.stripe["charges"], returned.payment.charge_id)
        charge |= {"amount_refunded": 0, "refunded": False}
        views.besides.refunds.append(replace(returned, amount=-returned.amount))
        answers.append(_answer(code, REFUNDS, carrier, returned.at, returned.id, note_id, -returned.amount))
    return answers


def _refund_pending(views: Views, code: str) -> list[Answer]:
    """The money has left the balance and is not with the customer yet."""
    answers = []
    for carrier, returned, made, note_id in _credited_and_refunded(views, code):
        made |= {"status": "pending", "pending_reason": "processing"}
        refs = returned.id, note_id
        answers.append(_answer(code, REFUNDS, carrier, returned.at, *refs, -returned.amount, status="timing"))
    return answers


def _refund_overdue(views: Views, code: str) -> list[Answer]:
    """Asked for two weeks ago and waiting ever since for a balance that is large enough."""
    at = unsettled(views) - 13 * DAY
    before = (entry for entry in paid_invoices(views) if entry[2][0].at < at)
    answers = []
    for carrier, invoice, payments in choose_paid(views, code, before):
        note, returned = cash.credit_and_refund(views.keys, invoice, payments[0], at)
        credit_in_orb(views, note)
        credit_in_stripe(views, note)
        waiting = {"status": "pending", "pending_reason": "insufficient_funds", "balance_transaction": None}
        views.stripe["refunds"].append(stripe.refund(views.keys, returned) | waiting)
        answers.append(_answer(code, REFUNDS, carrier, at, returned.id, note.stripe_id, -returned.amount))
    return answers


def _dispute_not_booked(views: Views, code: str) -> list[Answer]:
    """A dispute accepted as lost the same day; the invoice that it paid still counts as paid in full."""
    calendar = views.world.calendar
    by_card = (entry for entry in paid_invoices(views) if entry[2][0].method == "card")
    answers = []
    for turn, (carrier, invoice, payments) in enumerate(choose_paid(views, code, by_card)):
        at = unsettled(views, turn)
        dispute = Dispute(at, at + HOUR, "lost")
        lost = replace(payments[0], dispute=dispute)
        note = cash.credit(views.keys, invoice, at, is_post_payment=True)
        agree(views, replace(note, amount=lost.amount - note.tax))
        transactions = cash.dispute_transactions(views.keys, lost, dispute)
        views.besides.transactions.extend(transactions)
        taken = [stripe.balance_transaction(calendar, transaction) for transaction in transactions]
        made = stripe.dispute(views.keys, calendar, lost, {found["id"]: found for found in taken})
        views.stripe["balance_transactions"] += taken
        views.stripe["disputes"].append(made)
        find(views.stripe["charges"], lost.charge_id)["disputed"] = True
        answers.append(_answer(code, REFUNDS, carrier, at, made["id"], None, lost.amount))
    return answers


def _unsettled_charges(views: Views, *, is_converted: bool) -> list[Carrier]:
    """Balance transactions of charges that are in no payout yet; their currency is the settlement currency."""
    paid_out = {member["balance_transaction"] for member in views.stripe["payout_transactions"]}
    # What a payout by hand drew on is in no list: it took all that there was.
    by_hand = {payout.currency.lower(): payout.at for payout in views.world.cash.payouts if not payout.is_automatic}
    customers = {payment.charge_id: payment.customer.id for payment in views.world.cash.payments}
    return [
        Carrier(found["id"], customers[found["source"]], found["currency"].upper())
        for found in views.stripe["balance_transactions"]
        if found["id"] not in paid_out
        and found["created"] > by_hand.get(found["currency"], 0)
        and found["source"] in customers
        and (found["exchange_rate"] is not None) is is_converted
    ]


def _take_fee(views: Views, source_id: str, fee: int) -> None:
    """Stripe truly takes this fee on a charge of the world."""
    taken = next(found for found in views.world.cash.transactions if found.source_id == source_id)
    views.besides.transactions.append(replace(taken, amount=0, fee=fee - taken.fee))


def _conversion_differs(views: Views, code: str) -> list[Answer]:
    """The bank's rate is a percent worse than the one that Stripe states."""
    answers = []
    for carrier in choose(
        views, code, "converted charges of the last day", _unsettled_charges(views, is_converted=True)
    ):
        transaction = find(views.stripe["balance_transactions"], carrier.id)
        missing = max(1, int((Decimal(transaction["amount"]) / 100).to_integral_value(ROUND_HALF_UP)))
        amount = transaction["amount"] - missing
        transaction["amount"] = amount
        fee = cash.fee("card", carrier.currency, amount, is_converted=True)
        _set_fee(transaction, fee)
        _take_fee(views, transaction["source"], fee)
        refs = transaction["source"], transaction["id"]
        answers.append(_answer(code, TRANSACTIONS, carrier, transaction["created"], *refs, missing))
    return answers


def _set_fee(transaction: Object, fee: int) -> None:
    transaction |= {"fee": fee, "net": transaction["amount"] - fee}
    transaction["fee_details"][0]["amount"] = fee


def _fee_off_schedule(views: Views, code: str) -> list[Answer]:
    """Half as much again as the contract with Stripe says."""
    answers = []
    for carrier in choose(views, code, "charges of the last day", _unsettled_charges(views, is_converted=False)):
        transaction = find(views.stripe["balance_transactions"], carrier.id)
        extra = max(1, transaction["fee"] // 2)
        _set_fee(transaction, transaction["fee"] + extra)
        answers.append(_answer(code, FEES, carrier, transaction["created"], carrier.id, carrier.id, -extra))
    return answers


def _balance_transaction_missing(views: Views, code: str) -> list[Answer]:
    """The charge succeeded and never reached the balance."""
    answers = []
    for carrier in choose(views, code, "charges of the last day", _unsettled_charges(views, is_converted=False)):
        transaction = find(views.stripe["balance_transactions"], carrier.id)
        views.stripe["balance_transactions"].remove(transaction)
        source, at = transaction["source"], transaction["created"]
        _take_fee(views, source, 0)
        answers.append(_answer(code, TRANSACTIONS, carrier, at, source, None, transaction["amount"]))
    return answers


def _balance_transaction_duplicated(views: Views, code: str) -> list[Answer]:
    """The same charge is in the balance a second time, a minute later."""
    answers = []
    for carrier in choose(views, code, "charges of the last day", _unsettled_charges(views, is_converted=False)):
        transaction = find(views.stripe["balance_transactions"], carrier.id)
        again = deepcopy(transaction) | {
            "id": views.keys.id("txn_3", f"{carrier.id}/again", 23),
            "created": transaction["created"] + 60,
        }
        views.stripe["balance_transactions"].append(again)
        refs, at = (transaction["source"], again["id"]), again["created"]
        amount = -transaction["amount"]
        answers.append(_answer(code, TRANSACTIONS, carrier, at, *refs, amount, is_second_claim=True))
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "conversion_differs": _conversion_differs,
    "charged_twice": _charged_twice,
    "dispute_not_booked": _dispute_not_booked,
    "payment_customer_differs": _payment_customer_differs,
    "underpaid": _underpaid,
    "paid_out_of_band": _paid_out_of_band,
    "payment_pending": _payment_pending,
    "payment_overdue": _payment_overdue,
    "overpaid": _overpaid,
    "refund_without_credit_note": _refund_without_credit_note,
    "credit_note_without_refund": _credit_note_without_refund,
    "refund_failed": _refund_failed,
    "refund_overdue": _refund_overdue,
    "refund_pending": _refund_pending,
    "fee_off_schedule": _fee_off_schedule,
    "balance_transaction_missing": _balance_transaction_missing,
    "balance_transaction_duplicated": _balance_transaction_duplicated,
    "charge_unapplied": _charge_unapplied,
}
