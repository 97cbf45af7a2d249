"""Between Orb's invoices and Stripe's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal

from sandbox.calendar import DAY, HOUR, add_months, day_of, instant
from sandbox.catalogue import PLATFORM_FEE, money
from sandbox.defects.base import Answer, Carrier, Views, app_id, choose, find, month
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, stripe

INVOICED = "invoiced__orb_vs_stripe"
PAID = "invoiced__orb_paid_vs_stripe_paid"


def _open_invoices(views: Views, currencies: Sequence[str] = ("USD", "EUR", "JPY")) -> list[Carrier]:
    """Stripe invoices that came from Orb, unpaid and without credit notes."""
    return [
        Carrier(i["id"], app_id(views, i["customer"]), i["currency"].upper())
        for i in views.stripe["invoices"]
        if i["status"] == "open"
        and "orb_invoice_id" in i["metadata"]
        and not i["pre_payment_credit_notes_amount"]
        and i["currency"].upper() in currencies
    ]


def _pair(views: Views, stripe_invoice_id: str) -> tuple[Object, Object]:
    """The Orb invoice and the Stripe invoice made from it."""
    invoice = find(views.stripe["invoices"], stripe_invoice_id)
    return find(views.orb["invoices"], invoice["metadata"]["orb_invoice_id"]), invoice


def _parts(views: Views, invoice_id: str) -> tuple[list[Object], list[Object]]:
    """The lines and the invoice items of a Stripe invoice, in the same order."""
    lines = [line for line in views.stripe["invoice_lines"] if line["invoice"] == invoice_id]
    items = {item["id"]: item for item in views.stripe["invoiceitems"] if item["invoice"] == invoice_id}
    return lines, [items[line["parent"]["invoice_item_details"]["invoice_item"]] for line in lines]


def _invoiced(
    code: str,
    comparison: str,
    orb_invoice: Object,
    match_key: str,
    right_ref: str | None,
    difference: Decimal,
    period: str = "",
) -> Answer:
    return Answer(
        cause=code,
        comparison=comparison,
        status="break",
        match_key=match_key,
        customer_id=orb_invoice["customer"]["external_customer_id"],
        period=period or orb_invoice["invoice_date"][:7],
        currency=orb_invoice["currency"],
        left_ref=orb_invoice["id"],
        right_ref=right_ref,
        difference=difference,
    )


def _invoice_currency_differs(views: Views, code: str) -> list[Answer]:
    """The same figures in the other of dollars and euros."""
    answers = []
    for carrier in choose(views, code, "open invoices in dollars or euros", _open_invoices(views, ("USD", "EUR"))):
        orb_invoice, invoice = _pair(views, carrier.id)
        other = {"usd": "eur", "eur": "usd"}[invoice["currency"]]
        lines, items = _parts(views, carrier.id)
        for changed in (invoice, *lines, *items):
            changed["currency"] = other
        stripe.embed_lines(views.keys, invoice, lines)
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], amount))
    return answers


def _invoice_not_synced(views: Views, code: str) -> list[Answer]:
    """Orb issued it, the synchronisation failed, Stripe never had it."""
    answers = []
    for carrier in choose(views, code, "open invoices", _open_invoices(views)):
        orb_invoice, invoice = _pair(views, carrier.id)
        orb_invoice["status"] = "issued"
        orb_invoice["sync_failed_at"] = orb_invoice["issued_at"]
        views.stripe["invoices"].remove(invoice)
        for resource in ("invoice_lines", "invoiceitems"):
            views.stripe[resource] = [part for part in views.stripe[resource] if part["invoice"] != invoice["id"]]
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], None, amount))
    return answers


def _invoice_synced_twice(views: Views, code: str) -> list[Answer]:
    """A retry made a second Stripe invoice 47 minutes later; the duplicate is the break."""
    answers = []
    for carrier in choose(views, code, "open invoices", _open_invoices(views)):
        orb_invoice, invoice = _pair(views, carrier.id)
        copy = deepcopy(invoice)
        copy_id = views.keys.id("in_1", f"{invoice['id']}/again", 23)
        delay = 47 * 60
        copy |= {
            "id": copy_id,
            "number": f"{invoice['number']}-R",
            "created": invoice["created"] + delay,
            "effective_at": invoice["effective_at"] + delay,
            "webhooks_delivered_at": invoice["webhooks_delivered_at"] + delay,
            "hosted_invoice_url": invoice["hosted_invoice_url"].replace(invoice["id"], copy_id),
            "invoice_pdf": invoice["invoice_pdf"].replace(invoice["id"], copy_id),
        }
        copy["status_transitions"]["finalized_at"] += delay
        copied_lines = []
        for line, item in zip(*_parts(views, carrier.id), strict=True):
            item_copy = deepcopy(item) | {
                "id": views.keys.id("ii_1", f"{item['id']}/again", 23),
                "invoice": copy_id,
                "date": item["date"] + delay,
            }
            line_copy = deepcopy(line) | {"id": views.keys.id("il_1", item_copy["id"], 23), "invoice": copy_id}
            line_copy["parent"]["invoice_item_details"]["invoice_item"] = item_copy["id"]
            views.stripe["invoiceitems"].append(item_copy)
            copied_lines.append(line_copy)
        views.stripe["invoice_lines"] += copied_lines
        stripe.embed_lines(views.keys, copy, copied_lines)
        views.stripe["invoices"].append(copy)
        views.taken.add(copy_id)
        period = month(day_of(copy["created"]))
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, copy_id, copy_id, -amount, period))
    return answers


def _invoice_amount_differs(views: Views, code: str) -> list[Answer]:
    """Someone edited the largest line in Stripe by a tenth; up and down take turns."""
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices", _open_invoices(views))):
        orb_invoice, invoice = _pair(views, carrier.id)
        lines, items = _parts(views, carrier.id)
        line, item = max(zip(lines, items, strict=True), key=lambda pair: pair[0]["amount"])
        change = max(1, line["amount"] // 10) * (-1 if turn % 2 else 1)
        line["amount"] += change
        line["subtotal"] += change
        item["amount"] += change
        item["net_amount"] += change
        line["pricing"]["unit_amount_decimal"] = item["pricing"]["unit_amount_decimal"] = str(line["amount"])
        stripe.embed_lines(views.keys, invoice, lines)
        difference = -to_major(change, orb_invoice["currency"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], difference))
    return answers


def _paid_in_stripe_only(views: Views, code: str) -> list[Answer]:
    """Orb never heard of the payment: its invoice still waits for it."""
    contracts = {c.stripe_customer_id: c for c in views.world.company if c.contract}
    carriers = [
        Carrier(i["id"], contracts[i["customer"]].id, i["currency"].upper())
        for i in views.stripe["invoices"]
        if i["status"] == "paid" and i["customer"] in contracts and not i["post_payment_credit_notes_amount"]
    ]
    answers = []
    for carrier in choose(views, code, "paid invoices of contracts", carriers):
        orb_invoice, invoice = _pair(views, carrier.id)
        orb_invoice |= {"status": "synced", "paid_at": None, "payment_attempts": [], "payment_started_at": None}
        orb_invoice["auto_collection"]["num_attempts"] = 0
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, PAID, orb_invoice, orb_invoice["id"], invoice["id"], -amount))
    return answers


def _invoice_unknown_to_orb(views: Views, code: str) -> list[Answer]:
    """Made by hand in Stripe's dashboard: two lines of services that Orb knows nothing of."""
    keys, calendar = views.keys, views.world.calendar
    contracts = {c.id: c for c in views.world.company if c.contract}
    answers = []
    carriers = [Carrier(c.id, c.id, c.currency) for c in contracts.values()]
    for turn, carrier in enumerate(choose(views, code, "contract customers", carriers)):
        customer = contracts[carrier.id]
        invoice_id = keys.id("in_1", f"by hand/{customer.id}", 23)
        created = instant(add_months(calendar.first_day, calendar.months - 1) + timedelta(days=13 + turn)) + 10 * HOUR
        items = [
            stripe.invoice_item(
                keys,
                f"{invoice_id}/{description}",
                invoice_id,
                customer,
                PLATFORM_FEE.code,
                description,
                to_minor(money(dollars, customer.currency), customer.currency),
                created,
            )
            for description, dollars in (("Onboarding workshop", "480"), ("Solution architect, one day", "1250"))
        ]
        lines = [stripe.line_of_item(keys, item, 0) for item in items]
        number_by_hand = f"{keys.id('', f'prefix/{customer.id}', 8).upper()}-0001"
        made = stripe.invoice(keys, invoice_id, customer, number_by_hand, created, created + 30 * DAY, lines)
        views.stripe["invoices"].append(made)
        views.stripe["invoice_lines"] += lines
        views.stripe["invoiceitems"] += items
        views.taken.add(invoice_id)
        answers.append(
            Answer(
                cause=code,
                comparison=INVOICED,
                status="break",
                match_key=invoice_id,
                customer_id=customer.id,
                period=month(day_of(created)),
                currency=customer.currency,
                left_ref=None,
                right_ref=invoice_id,
                difference=-to_major(made["total"], customer.currency),
            )
        )
    return answers


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "invoice_currency_differs": _invoice_currency_differs,
    "invoice_not_synced": _invoice_not_synced,
    "invoice_synced_twice": _invoice_synced_twice,
    "invoice_amount_differs": _invoice_amount_differs,
    "paid_in_stripe_only": _paid_in_stripe_only,
    "invoice_unknown_to_orb": _invoice_unknown_to_orb,
}
