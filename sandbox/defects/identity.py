"""Rows and customers that are not what they seem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from sandbox.calendar import DAY, HOUR, instant
from sandbox.catalogue import PLATFORM_FEE
from sandbox.defects.base import Answer, Views, excluded
from sandbox.pricing import to_minor
from sandbox.views import Object, stripe

INTERNAL = "internal_account"


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
}
