"""Between Orb's invoices and Stripe's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from sandbox import cash
from sandbox.billing import Invoice
from sandbox.calendar import DAY, HOUR, add_months, day_of, instant, iso
from sandbox.cash import CreditNote, Payment, Refund
from sandbox.catalogue import PLATFORM_FEE, money
from sandbox.defects import rated
from sandbox.defects.base import Answer, Carrier, Views, app_id, choose, find, month
from sandbox.pricing import to_major, to_minor
from sandbox.views import Object, orb, stripe

INVOICED = "invoiced__orb_vs_stripe"
PAID = "invoiced__orb_paid_vs_stripe_paid"
CREDIT_NOTES = "invoiced__orb_vs_stripe_credit_notes"


def open_invoices(views: Views, currencies: Sequence[str] = ("USD", "EUR", "JPY")) -> list[Carrier]:
    """Stripe invoices that came from Orb, unpaid and without credit notes."""
    return [
        Carrier(i["id"], app_id(views, i["customer"]), i["currency"].upper())
        for i in views.stripe["invoices"]
        if i["status"] == "open"
        and "orb_invoice_id" in i["metadata"]
        and not i["pre_payment_credit_notes_amount"]
        and i["currency"].upper() in currencies
    ]


def paid_invoices(views: Views) -> Iterator[tuple[Carrier, Invoice, list[Payment]]]:
    """Customers' invoices that are paid, without credit notes and large enough for one; with what paid them."""
    payments: dict[str, list[Payment]] = defaultdict(list)
    for payment in views.world.cash.payments:
        if payment.invoice_id:
            payments[payment.invoice_id].append(payment)
    credited = {note.invoice.id for note in views.world.cash.credit_notes}
    for invoice in views.world.invoices:
        customer = invoice.customer
        if payments[invoice.id] and invoice.id not in credited and not customer.is_internal and _can_credit(invoice):
            carrier = Carrier(stripe.stripe_invoice_id(views.keys, invoice), customer.id, customer.currency)
            yield carrier, invoice, payments[invoice.id]


def choose_paid(
    views: Views, code: str, paid: Iterable[tuple[Carrier, Invoice, list[Payment]]]
) -> Iterator[tuple[Carrier, Invoice, list[Payment]]]:
    """Of these paid invoices as many as the class is planted."""
    found = {entry[0].id: entry for entry in paid}
    for carrier in choose(views, code, "paid invoices", (entry[0] for entry in found.values())):
        yield found[carrier.id]


def _paid_by_contracts(views: Views) -> Iterator[tuple[Carrier, Invoice, list[Payment]]]:
    return (entry for entry in paid_invoices(views) if entry[1].customer.contract)


def _can_credit(invoice: Invoice) -> bool:
    return max(line.amount for line in invoice.lines) >= 10


def pair(views: Views, stripe_invoice_id: str) -> tuple[Object, Object]:
    """The Orb invoice and the Stripe invoice made from it."""
    invoice = find(views.stripe["invoices"], stripe_invoice_id)
    return find(views.orb["invoices"], invoice["metadata"]["orb_invoice_id"]), invoice


def agree(views: Views, note: CreditNote) -> None:
    """What a credit note gives back is true, in whichever systems it stands."""
    if note.number not in {other.number for other in views.besides.credit_notes}:
        views.besides.credit_notes.append(note)


def credit_in_orb(views: Views, note: CreditNote) -> None:
    """Issues a credit note in Orb."""
    agree(views, note)
    made = orb.credit_note(views.keys, note)
    views.orb["credit_notes"].append(made)
    find(views.orb["invoices"], note.invoice.id)["credit_notes"].append(
        {name: made[name] for name in ("id", "credit_note_number", "reason", "total", "voided_at", "type", "memo")}
    )


def credit_in_stripe(views: Views, note: CreditNote) -> Object:
    """Issues a credit note in Stripe and returns it."""
    agree(views, note)
    made = stripe.credit_note(views.keys, note)
    views.stripe["credit_notes"].append(made)
    invoice = find(views.stripe["invoices"], stripe.stripe_invoice_id(views.keys, note.invoice))
    invoice["post_payment_credit_notes_amount" if note.is_post_payment else "pre_payment_credit_notes_amount"] += (
        note.total
    )
    return made


def refund(views: Views, returned: Refund) -> Object:
    """Refunds a payment; the money leaves a balance that has not been paid out. Returns Stripe's refund."""
    made = stripe.refund(views.keys, returned)
    transaction = cash.refund_transaction(views.keys, returned)
    views.besides.refunds.append(returned)
    views.besides.transactions.append(transaction)
    views.stripe["refunds"].append(made)
    views.stripe["balance_transactions"].append(stripe.balance_transaction(views.world.calendar, transaction))
    charge = find(views.stripe["charges"], returned.payment.charge_id)
    charge["amount_refunded"] += returned.amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    return made


def unsettled(views: Views, turn: int = 0) -> int:
    """An instant of the last day: what moves then is in no payout yet."""
    return instant(views.world.calendar.now) - DAY + HOUR * (1 + turn)


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
    for carrier in choose(views, code, "open invoices in dollars or euros", open_invoices(views, ("USD", "EUR"))):
        orb_invoice, invoice = pair(views, carrier.id)
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
    for carrier in choose(views, code, "open invoices", open_invoices(views)):
        orb_invoice, invoice = pair(views, carrier.id)
        orb_invoice["status"] = "issued"
        orb_invoice["sync_failed_at"] = orb_invoice["issued_at"]
        views.stripe["invoices"].remove(invoice)
        for resource in ("invoice_lines", "invoiceitems"):
            views.stripe[resource] = [part for part in views.stripe[resource] if part["invoice"] != invoice["id"]]
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], None, amount))
    return answers


def _invoice_synced_twice(views: Views, code: str) -> list[Answer]:
    """A retry made a second Stripe invoice 47 minutes later, which nobody paid; the duplicate is the break."""
    answers = []
    for carrier, _, _ in choose_paid(views, code, _paid_by_contracts(views)):
        orb_invoice, invoice = pair(views, carrier.id)
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
            "status": "open",
            "amount_paid": 0,
            "attempt_count": 0,
            "attempted": False,
        }
        copy["status_transitions"] |= {
            "finalized_at": invoice["status_transitions"]["finalized_at"] + delay,
            "paid_at": None,
        }
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
    """Someone edited the largest line in Stripe by a tenth; up and down take turns, where so much is owed."""
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices", open_invoices(views))):
        orb_invoice, invoice = pair(views, carrier.id)
        lines, items = _parts(views, carrier.id)
        line, item = max(zip(lines, items, strict=True), key=lambda pair: pair[0]["amount"])
        change = max(1, line["amount"] // 10)
        if turn % 2 and change < invoice["total"]:
            change = -change
        line["amount"] += change
        line["subtotal"] += change
        item["amount"] += change
        item["net_amount"] += change
        line["pricing"]["unit_amount_decimal"] = item["pricing"]["unit_amount_decimal"] = str(line["amount"])
        stripe.embed_lines(views.keys, invoice, lines)
        difference = -to_major(change, orb_invoice["currency"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], difference))
    return answers


def _invoice_tax_differs(views: Views, code: str) -> list[Answer]:
    """Stripe's own tax settings taxed the largest line by a fifth more, or less; up and down take turns."""
    taxed = {line["invoice"] for line in views.stripe["invoice_lines"] if sum(t["amount"] for t in line["taxes"]) >= 5}
    carriers = [carrier for carrier in open_invoices(views) if carrier.id in taxed]
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices with tax", carriers)):
        orb_invoice, invoice = pair(views, carrier.id)
        lines, _ = _parts(views, carrier.id)
        tax = max((line["taxes"][0] for line in lines if line["taxes"]), key=lambda found: found["amount"])
        change = tax["amount"] // 5 * (-1 if turn % 2 else 1)
        tax["amount"] += change
        stripe.embed_lines(views.keys, invoice, lines)
        difference = -to_major(change, orb_invoice["currency"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], difference))
    return answers


def _invoice_customer_differs(views: Views, code: str) -> list[Answer]:
    """Stripe asks another customer with the same currency for the money."""
    rng = views.keys.rng(f"defects/{code}/others")
    answers = []
    for carrier in choose(views, code, "open invoices", open_invoices(views)):
        orb_invoice, invoice = pair(views, carrier.id)
        others = [c for c in views.world.company if c.currency == carrier.currency and c.id != carrier.customer_id]
        other = others[int(rng.integers(len(others)))]
        of_other = find(views.stripe["customers"], other.stripe_customer_id)
        invoice |= {
            "customer": of_other["id"],
            "customer_address": of_other["address"],
            "customer_email": of_other["email"],
            "customer_name": of_other["name"],
        }
        for item in _parts(views, carrier.id)[1]:
            item["customer"] = of_other["id"]
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], Decimal(0)))
    return answers


def _contracts_open_invoices(views: Views) -> list[Carrier]:
    contracts = {c.id for c in views.world.company if c.contract}
    return [carrier for carrier in open_invoices(views) if carrier.customer_id in contracts]


def _void_in_orb_only(views: Views, code: str) -> list[Answer]:
    """Orb voided it three days later, Stripe never heard and goes on asking for the money.

    Of what is void nobody asks any more whether it was rated rightly.
    """
    rated_rightly = (carrier for carrier in _contracts_open_invoices(views) if carrier.id not in views.misrated)
    answers = []
    for carrier in choose(views, code, "open invoices of contracts", rated_rightly):
        orb_invoice, invoice = pair(views, carrier.id)
        orb_invoice |= {"status": "void", "voided_at": iso(invoice["created"] + 3 * DAY)}
        amount = Decimal(orb_invoice["amount_due"])
        period = month(day_of(invoice["created"]))
        answer = _invoiced(code, INVOICED, orb_invoice, invoice["id"], invoice["id"], -amount, period)
        answers.append(replace(answer, left_ref=None))
    return answers


def _void_in_stripe_only(views: Views, code: str) -> list[Answer]:
    """Someone voided it in Stripe's dashboard, Orb still waits for the money."""
    answers = []
    for carrier in choose(views, code, "open invoices", open_invoices(views)):
        orb_invoice, invoice = pair(views, carrier.id)
        invoice |= {"status": "void", "amount_remaining": 0}
        invoice["status_transitions"]["voided_at"] = invoice["created"] + 3 * DAY
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], None, amount))
    return answers


def _invoice_status_differs(views: Views, code: str) -> list[Answer]:
    """Stripe gave the money up while Orb waits for it; every other time Orb believes that Stripe never got the invoice."""
    answers = []
    for turn, carrier in enumerate(choose(views, code, "open invoices", open_invoices(views))):
        orb_invoice, invoice = pair(views, carrier.id)
        if turn % 2:
            orb_invoice |= {"status": "issued", "sync_failed_at": orb_invoice["issued_at"]}
        else:
            invoice["status"] = "uncollectible"
            invoice["status_transitions"]["marked_uncollectible_at"] = invoice["created"] + 10 * DAY
        answers.append(_invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], Decimal(0)))
    return answers


def _invoice_due_date_differs(views: Views, code: str) -> list[Answer]:
    """Stripe gives the customer thirty days more than the contract does."""
    return [
        _dated_anew(views, code, carrier.id) for carrier, _, _ in choose_paid(views, code, _paid_by_contracts(views))
    ]


def misrated(views: Views, earlier: Sequence[Answer]) -> set[str]:
    """Stripe's ids of the invoices with a line that carries an earlier plant, or lacks by one."""
    planted = {(answer.customer_id, answer.period) for answer in earlier if answer.comparison == rated.COMPARISON}
    return {
        stripe.stripe_invoice_id(views.keys, invoice)
        for invoice in views.world.invoices
        if {
            (invoice.customer.id, month(day)) for day in (invoice.period_start, *(line.start for line in invoice.lines))
        }
        & planted
    }


def misrated_whole(views: Views, earlier: Sequence[Answer]) -> set[str]:
    """Stripe's ids of the invoices that carry an earlier plant as a whole."""
    planted = {answer.right_ref for answer in earlier}
    return {stripe.stripe_invoice_id(views.keys, invoice) for invoice in views.world.invoices if invoice.id in planted}


def invoice_of_chain(views: Views, code: str, chained: Answer) -> Answer:
    """The same on the invoice that bills the customer's usage of the month in which the chain begins."""
    billed = (chained.customer_id, chained.period)
    invoice = next(
        i
        for i in views.world.invoices
        if (i.customer.id, month(i.period_start)) == billed and i.period_end == i.invoice_date
    )
    stripe_invoice_id = stripe.stripe_invoice_id(views.keys, invoice)
    views.taken.add(stripe_invoice_id)
    return _dated_anew(views, code, stripe_invoice_id)


def _dated_anew(views: Views, code: str, stripe_invoice_id: str) -> Answer:
    orb_invoice, invoice = pair(views, stripe_invoice_id)
    invoice["due_date"] += 30 * DAY
    return _invoiced(code, INVOICED, orb_invoice, orb_invoice["id"], invoice["id"], Decimal(0))


def _held_draft(views: Views, code: str, status: str, eligible_at: int) -> list[Answer]:
    """An invoice cut that day, in the middle of the month, and held back for a review."""
    contracts = {c.id for c in views.world.company if c.contract}
    drafts = [i for i in views.orb["invoices"] if i["status"] == "draft" and Decimal(i["amount_due"]) > 0]
    carriers = [
        Carrier(i["id"], i["customer"]["external_customer_id"], i["currency"])
        for i in drafts
        if i["customer"]["external_customer_id"] in contracts
    ]
    answers = []
    for carrier in choose(views, code, "drafts of contracts", carriers):
        draft = find(drafts, carrier.id)
        draft |= {
            "invoice_date": iso(instant(day_of(eligible_at))),
            "eligible_to_issue_at": iso(eligible_at),
            "scheduled_issue_at": None,
            "will_auto_issue": False,
        }
        amount = Decimal(draft["amount_due"])
        answers.append(replace(_invoiced(code, INVOICED, draft, draft["id"], None, amount), status=status))
    return answers


def _draft_past_grace(views: Views, code: str) -> list[Answer]:
    """Nobody reviewed it."""
    return _held_draft(views, code, "break", instant(views.world.calendar.usage_end) + DAY)


def _draft_in_grace(views: Views, code: str) -> list[Answer]:
    """There is still time to review it."""
    return _held_draft(views, code, "timing", instant(views.world.calendar.now) - 60 * HOUR)


def _paid_in_stripe_only(views: Views, code: str) -> list[Answer]:
    """Orb never heard of the payment: its invoice still waits for it."""
    answers = []
    for carrier, _, _ in choose_paid(views, code, _paid_by_contracts(views)):
        orb_invoice, invoice = pair(views, carrier.id)
        orb_invoice |= {"status": "synced", "paid_at": None, "payment_attempts": [], "payment_started_at": None}
        orb_invoice["auto_collection"]["num_attempts"] = 0
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, PAID, orb_invoice, orb_invoice["id"], invoice["id"], -amount))
    return answers


def _paid_in_orb_only(views: Views, code: str) -> list[Answer]:
    """Marked as paid in Orb by hand; Stripe has no money and still asks for it."""
    answers = []
    for carrier in choose(views, code, "open invoices", open_invoices(views)):
        orb_invoice, invoice = pair(views, carrier.id)
        orb_invoice |= {"status": "paid", "paid_at": iso(invoice["created"] + 6 * DAY)}
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, PAID, orb_invoice, orb_invoice["id"], invoice["id"], amount))
    return answers


def _credit_note_one_sided(views: Views, code: str) -> list[Answer]:
    """Issued in Orb and never in Stripe; every other time made in Stripe's dashboard, with its refund."""
    answers = []
    for turn, (carrier, invoice, payments) in enumerate(choose_paid(views, code, _paid_by_contracts(views))):
        note, returned = cash.credit_and_refund(views.keys, invoice, payments[0], unsettled(views, turn))
        if turn % 2:
            credit_in_stripe(views, note)["metadata"] = {}
            refund(views, returned)
            total = to_major(-note.total, carrier.currency)
            answers.append(_one_credit_note(code, carrier, note, None, note.stripe_id, total))
        else:
            credit_in_orb(views, note)
            total = to_major(note.total, carrier.currency)
            answers.append(_one_credit_note(code, carrier, note, note.orb_id, None, total))
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


def _credit_note_amount_differs(views: Views, code: str) -> list[Answer]:
    """Half of it was entered in Stripe, and refunded."""
    answers = []
    for turn, (carrier, invoice, payments) in enumerate(choose_paid(views, code, _paid_by_contracts(views))):
        note, returned = cash.credit_and_refund(views.keys, invoice, payments[0], unsettled(views, turn))
        entered = replace(note, amount=note.amount - note.amount // 2, tax=note.tax - note.tax // 2)
        credit_in_orb(views, note)
        credit_in_stripe(views, entered)
        refund(views, replace(returned, amount=entered.total))
        difference = to_major(note.total - entered.total, carrier.currency)
        answers.append(_one_credit_note(code, carrier, note, note.orb_id, note.stripe_id, difference))
    return answers


def _one_credit_note(
    code: str, carrier: Carrier, note: CreditNote, left: str | None, right: str | None, difference: Decimal
) -> Answer:
    return Answer(
        cause=code,
        comparison=CREDIT_NOTES,
        status="break",
        match_key=left or note.stripe_id,
        customer_id=carrier.customer_id,
        period=month(day_of(note.at)),
        currency=carrier.currency,
        left_ref=left,
        right_ref=right,
        difference=difference,
    )


PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "invoice_tax_differs": _invoice_tax_differs,
    "invoice_currency_differs": _invoice_currency_differs,
    "void_in_orb_only": _void_in_orb_only,
    "void_in_stripe_only": _void_in_stripe_only,
    "invoice_not_synced": _invoice_not_synced,
    "invoice_amount_differs": _invoice_amount_differs,
    "invoice_customer_differs": _invoice_customer_differs,
    "invoice_status_differs": _invoice_status_differs,
    "paid_in_orb_only": _paid_in_orb_only,
    "invoice_due_date_differs": _invoice_due_date_differs,
    "paid_in_stripe_only": _paid_in_stripe_only,
    "invoice_synced_twice": _invoice_synced_twice,
    "credit_note_one_sided": _credit_note_one_sided,
    "credit_note_amount_differs": _credit_note_amount_differs,
    "draft_past_grace": _draft_past_grace,
    "draft_in_grace": _draft_in_grace,
    "invoice_unknown_to_orb": _invoice_unknown_to_orb,
}
