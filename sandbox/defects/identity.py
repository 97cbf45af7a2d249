"""Rows and customers that are not what they seem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sandbox.calendar import DAY, HOUR, add_months, day_of, instant, iso
from sandbox.catalogue import PLATFORM_FEE
from sandbox.defects.base import Answer, Carrier, Views, choose, excluded, find, month
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, stripe

INTERNAL = "internal_account"
APP_ORB = "identity__app_vs_orb"
APP_STRIPE = "identity__app_vs_stripe"


def _test_mode_row(views: Views, code: str) -> list[Answer]:
    """Objects with `livemode: false` among the live ones: a charge; in larger worlds also a payout and an invoice.

    The invoice's line and item are kept out and counted for themselves.
    """
    keys, calendar = views.keys, views.world.calendar
    at = instant(calendar.first_day + timedelta(days=20)) + 11 * HOUR
    customer = next(c for c in views.world.company if c.currency == "EUR" and c.account_type == "customer")
    charge_id, payout_id, invoice_id = (keys.id(prefix, code, 23) for prefix in ("ch_3", "po_1", "in_1"))
    description = "Checking the new checkout"
    charge = stripe.charge(
        charge_id, customer, 4200, at, method="card", payment_intent=None, metadata={}, description=description
    )
    planted: list[tuple[str, Object, str | None, int]] = [("charges", charge, customer.id, 4200)]
    if views.times > 1:
        payout = stripe.payout(keys, payout_id, "USD", 123456, at, at + DAY, "TESTTRACE000001")
        item = stripe.invoice_item(keys, code, invoice_id, customer, PLATFORM_FEE.code, description, 9900, at)
        item["livemode"] = False
        line = stripe.line_of_item(keys, item, 0)
        invoice = stripe.invoice(keys, invoice_id, customer, "TEST-0001", at, at, [line])
        planted += [
            ("payouts", payout, None, 123456),
            ("invoices", invoice, customer.id, 9900),
            ("invoice_lines", line, None, 9900),
            ("invoiceitems", item, customer.id, 9900),
        ]
    answers = []
    for resource, found, customer_id, amount in planted:
        views.stripe[resource].append(found | {"livemode": False})
        answers.append(excluded(code, found["id"], customer_id, found["currency"].upper(), amount))
    return answers


def _second_customer(views: Views, code: str) -> list[tuple[Carrier, Object, Object]]:
    """Top-ups that were paid under another Stripe customer: the carrier, that customer, as yet like the first, the charge."""
    top_ups: dict[str, list[Object]] = {}
    for charge in views.stripe["charges"]:
        if charge["status"] == "succeeded" and charge["metadata"].get("purpose") == "top_up":
            top_ups.setdefault(charge["customer"], []).append(charge)
    customers = {customer.stripe_customer_id: customer for customer in views.world.company if not customer.is_internal}
    last = {
        charges[-1]["id"]: charges[-1]
        for customer, charges in top_ups.items()
        if customer in customers and len(charges) > 1
    }
    carriers = [Carrier(i, customers[c["customer"]].id, c["currency"].upper()) for i, c in last.items()]
    made = []
    for carrier in choose(views, code, "customers with two top-ups", carriers):
        charge = last[carrier.id]
        first = find(views.stripe["customers"], charge["customer"])
        second = first | {
            "id": views.keys.id("cus_", f"{code}/{first['id']}", 14),
            "created": charge["created"] - HOUR,
            "invoice_prefix": views.keys.id("", f"prefix/{code}/{first['id']}", 8).upper(),
        }
        intent = find(views.stripe["payment_intents"], charge["payment_intent"])
        attempts = [other for other in views.stripe["charges"] if other["payment_intent"] == intent["id"]]
        for paid in (intent, *attempts):
            paid["customer"] = second["id"]
        views.stripe["customers"].append(second)
        made.append((carrier, second, charge))
    return made


def _collected(code: str, carrier: Carrier, second: Object, charge: Object, left: str | None) -> Answer:
    return Answer(
        cause=code,
        comparison=APP_STRIPE,
        status="break",
        match_key=second["id"],
        customer_id=left,
        period=month(day_of(charge["created"])),
        currency=carrier.currency,
        left_ref=left,
        right_ref=second["id"],
        difference=-to_major(charge["amount"], carrier.currency),
    )


def _customer_duplicated_in_stripe(views: Views, code: str) -> list[Answer]:
    """A second Stripe customer, linked to the product's like the first or, by turns, by its e-mail address alone."""
    answers = []
    for turn, (carrier, second, charge) in enumerate(_second_customer(views, code)):
        if turn % 2:
            second["metadata"] = {}
        answers.append(_collected(code, carrier, second, charge, carrier.customer_id))
    return answers


def _customer_unmapped(views: Views, code: str) -> list[Answer]:
    """A top-up paid by a guest: a Stripe customer that leads to no customer of the product."""
    answers = []
    for carrier, guest, charge in _second_customer(views, code):
        guest |= {"email": f"{guest['id'].lower()}@guests.example", "metadata": {}, "name": "Guest"}
        answers.append(_collected(code, carrier, guest, charge, None))
    return answers


def _deleted_customer_active(views: Views, code: str) -> list[Answer]:
    """The product deleted a customer before the last month, and Orb bills it on."""
    calendar = views.world.calendar
    deleted_at = instant(add_months(calendar.first_day, calendar.months - 1))
    invoices: dict[str, list[Object]] = {}
    for invoice in views.orb["invoices"]:
        if invoice["status"] in ("issued", "synced", "paid"):
            invoices.setdefault(invoice["customer"]["external_customer_id"], []).append(invoice)
    after = {
        customer_id: sum(
            (
                Decimal(invoice["total"])
                for invoice in issued
                if all(line["start_date"] >= iso(deleted_at) for line in invoice["line_items"])
            ),
            Decimal(0),
        )
        for customer_id, issued in invoices.items()
    }
    customers = {c.id: c for c in views.world.company if not c.is_internal and c.end is None and after.get(c.id)}
    answers = []
    carriers = [Carrier(customer.id, customer.id, customer.currency) for customer in customers.values()]
    for carrier in choose(views, code, "customers billed for the last month", carriers):
        stamp = datetime.fromtimestamp(deleted_at, UTC)
        find(views.app["customers"], carrier.id).update(deleted_at=stamp, updated_at=stamp)
        answers.append(
            Answer(
                cause=code,
                comparison=APP_ORB,
                status="break",
                match_key=carrier.id,
                customer_id=carrier.id,
                period=min(invoice["invoice_date"] for invoice in invoices[carrier.id])[:7],
                currency=carrier.currency,
                left_ref=carrier.id,
                right_ref=customers[carrier.id].orb_customer_id,
                difference=-after[carrier.id],
            )
        )
    return answers


def internal_accounts(views: Views) -> list[Answer]:
    """Staff and test tenants are in every world; the amount is the total of what Orb billed them, void and drafts apart."""
    answers = []
    for customer in views.world.company:
        if customer.is_internal:
            billed = sum(
                (
                    Decimal(invoice["total"])
                    for invoice in views.orb["invoices"]
                    if invoice["customer"]["external_customer_id"] == customer.id
                    and invoice["status"] not in ("draft", "void")
                ),
                Decimal(0),
            )
            answers.append(
                excluded(INTERNAL, customer.id, customer.id, customer.currency, to_minor(billed, customer.currency))
            )
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "test_mode_row": _test_mode_row,
    "customer_duplicated_in_stripe": _customer_duplicated_in_stripe,
    "customer_unmapped": _customer_unmapped,
    "deleted_customer_active": _deleted_customer_active,
}
