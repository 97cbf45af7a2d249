"""What differs between invoices, payments, charges, the balance, fees, refunds and credit notes, by plain Python.

Each function gives match key -> left reference, right reference, difference, as the answer key does.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.sandbox.world.conftest import Dataset, major

Found = dict[str, tuple[str | None, str | None, Decimal]]
WINDOW = 60 * 86400


def live(dataset: Dataset, resource: str) -> list[dict[str, Any]]:
    return [found for found in dataset.objects(f"stripe/{resource}") if found.get("livemode", True)]


def invoices_and_payments(dataset: Dataset) -> Found:
    found: Found = {}
    processing = {i["id"] for i in live(dataset, "payment_intents") if i["status"] == "processing"}
    payments: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for payment in live(dataset, "invoice_payments"):
        payments[payment["invoice"]].append(payment)
    for invoice in live(dataset, "invoices"):
        own = payments[invoice["id"]]
        begun = sum(p["amount_requested"] for p in own if p["payment"].get("payment_intent") in processing)
        claim = invoice["amount_due"] if invoice["status"] == "paid" else invoice["amount_paid"] + begun
        came = sum(p["amount_paid"] or 0 for p in own if p["payment"]["type"] == "payment_intent")
        if claim != came:
            ref = own[0]["id"] if len(own) == 1 else f"{invoice['id']}/payments"
            found[invoice["id"]] = (invoice["id"], ref if own else None, major(claim - came, invoice["currency"]))
    return found


def payments_and_charges(dataset: Dataset) -> Found:
    found: Found = {}
    intents = {intent["id"]: intent for intent in live(dataset, "payment_intents")}
    invoices = {invoice["id"]: invoice["customer"] for invoice in live(dataset, "invoices")}
    owners = {i: intent["customer"] for i, intent in intents.items()}
    claims = {i: intent["amount_received"] for i, intent in intents.items() if intent["metadata"].get("purpose")}
    for payment in live(dataset, "invoice_payments"):
        if payment["status"] == "paid" and payment["payment"]["type"] == "payment_intent":
            claims[payment["payment"]["payment_intent"]] = payment["amount_paid"]
            owners[payment["payment"]["payment_intent"]] = invoices[payment["invoice"]]
    for charge in live(dataset, "charges"):
        if charge["status"] != "succeeded":
            continue
        amount = major(charge["amount"], charge["currency"])
        if charge["payment_intent"] in claims:
            assert claims.pop(charge["payment_intent"]) == charge["amount"]
            if owners[charge["payment_intent"]] != charge["customer"]:
                found[charge["payment_intent"]] = (charge["payment_intent"], charge["id"], Decimal(0))
            continue
        same = [
            intent
            for intent in intents.values()
            if (intent["customer"], intent["amount"]) == (charge["customer"], charge["amount"])
            and 0 < charge["created"] - intent["created"] <= WINDOW
            and intent["id"] != charge["payment_intent"]
        ]
        found[charge["id"]] = (same[-1]["id"] if same else None, charge["id"], -amount)
    assert not claims
    return found


def movements_and_balance(dataset: Dataset) -> Found:
    found: Found = {}
    movements: dict[tuple[str, str], tuple[int, str]] = {}
    for charge in live(dataset, "charges"):
        if charge["status"] == "succeeded":
            movements[charge["id"], "charge"] = (charge["amount"], charge["currency"])
    for refund in live(dataset, "refunds"):
        if refund["balance_transaction"]:
            movements[refund["id"], "refund"] = (-refund["amount"], refund["currency"])
        if refund["status"] == "failed":
            movements[refund["id"], "refund_failure"] = (refund["amount"], refund["currency"])
    for dispute in live(dataset, "disputes"):
        movements[dispute["id"], "dispute"] = (-dispute["amount"], dispute["currency"])
        if dispute["status"] == "won":
            movements[dispute["id"], "dispute_reversal"] = (dispute["amount"], dispute["currency"])
    booked = set()
    for transaction in live(dataset, "balance_transactions"):
        key = transaction["source"], transaction["reporting_category"]
        if key[1].startswith("payout"):
            continue
        amount, _ = movements[key]
        rate = transaction["exchange_rate"]
        if rate:
            amount = int((amount * rate).to_integral_value(ROUND_HALF_UP))
        if key in booked:
            difference = major(-transaction["amount"], transaction["currency"])
            found[transaction["id"]] = (key[0], transaction["id"], difference)
        elif amount != transaction["amount"]:
            difference = major(amount - transaction["amount"], transaction["currency"])
            found[key[0]] = (key[0], transaction["id"], difference)
        booked.add(key)
    missing = {key: movement for key, movement in movements.items() if key not in booked}
    return found | {source: (source, None, major(*movement)) for (source, _), movement in missing.items()}


def fees_and_schedule(dataset: Dataset) -> Found:
    """The agreement with Stripe, written down a second time."""
    found: Found = {}
    methods = {c["id"]: c["payment_method_details"]["type"] for c in live(dataset, "charges")}
    rates = {
        ("card", "usd"): ("0.029", 30),
        ("card", "eur"): ("0.015", 25),
        ("card", "jpy"): ("0.036", 0),
        ("us_bank_account", "usd"): ("0.008", 0),
        ("sepa_debit", "eur"): ("0", 35),
        ("dispute", "usd"): ("0", 1500),
        ("dispute", "eur"): ("0", 2000),
        ("dispute", "jpy"): ("0", 1300),
        **{("instant_payout", currency): ("0.01", 0) for currency in ("usd", "eur", "jpy")},
    }
    instant = {p["id"] for p in live(dataset, "payouts") if p["method"] == "instant"}
    for transaction in live(dataset, "balance_transactions"):
        category, amount = transaction["reporting_category"], transaction["amount"]
        kind = methods[transaction["source"]] if category == "charge" else category
        if category == "payout" and transaction["source"] in instant:
            kind = "instant_payout"
        share, fixed = rates.get((kind, transaction["currency"]), ("0", 0))
        fee = int((abs(amount) * Decimal(share)).to_integral_value(ROUND_HALF_UP)) + fixed
        if kind == "us_bank_account":
            fee = min(fee, 500)
        if transaction["exchange_rate"] and category == "charge":
            fee += int((amount * Decimal("0.01")).to_integral_value(ROUND_HALF_UP))
        if fee != transaction["fee"]:
            own = transaction["id"]
            found[own] = (own, own, major(fee - transaction["fee"], transaction["currency"]))
    return found


def refunds_and_credit_notes(dataset: Dataset) -> Found:
    found: Found = {}
    invoices = {i["payment"].get("payment_intent"): i["invoice"] for i in live(dataset, "invoice_payments")}
    refunds = {r["id"]: r for r in live(dataset, "refunds") if r["payment_intent"] in invoices}
    lost = [d for d in live(dataset, "disputes") if d["status"] == "lost" and d["payment_intent"] in invoices]
    disputes = {(invoices[dispute["payment_intent"]], dispute["amount"]): dispute for dispute in lost}
    for note in live(dataset, "credit_notes"):
        if not note["post_payment_amount"]:
            continue
        amount = major(note["post_payment_amount"], note["currency"])
        if not note["refunds"]:
            if not disputes.pop((note["invoice"], note["post_payment_amount"]), None):
                found[note["id"]] = (None, note["id"], -amount)
            continue
        (named,) = note["refunds"]
        refund = refunds.pop(named["refund"])
        given = refund["amount"] if refund["status"] == "succeeded" else 0
        if given != note["post_payment_amount"]:
            found[refund["id"]] = (refund["id"], note["id"], major(given, note["currency"]) - amount)
    found |= {i: (i, None, major(refund["amount"], refund["currency"])) for i, refund in refunds.items()}
    return found | {d["id"]: (d["id"], None, major(d["amount"], d["currency"])) for d in disputes.values()}
