"""The defects that can be planted, and the answer key: what the register must say about each of them.

`event_missing_in_orb` stands between the product's events and Orb's, so all that Orb makes of its usage follows from
it. Every other class is planted into finished views. No object carries two plants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from sandbox.calendar import DAY, HOUR, add_months, day_of, instant
from sandbox.catalogue import EVENT_NAMES, METERED, PLATFORM_FEE, money
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.pricing import to_major, to_minor
from sandbox.usage import Ints
from sandbox.views import Object, stripe
from sandbox.views.bank import Deposit
from sandbox.views.orb import number
from sandbox.world import Metered, World

METERED_COMPARISON = "metered__app_vs_orb"
INVOICED = "invoiced__orb_vs_stripe"
PAID = "invoiced__orb_paid_vs_stripe_paid"
BANKED = "banked__payouts_vs_bank"


@dataclass(frozen=True)
class Answer:
    """One line of the answer key. A deposit stands for its statement line's id, which only the statement gives it."""

    cause: str
    comparison: str | None
    status: str
    match_key: str | Deposit
    customer_id: str | None
    period: str | None
    currency: str
    left_ref: str | None
    right_ref: str | Deposit | None
    difference: Decimal

    def as_object(self) -> Object:
        """The line as it is written. The statements must have been made."""
        return {
            "cause": self.cause,
            "comparison": self.comparison,
            "status": self.status,
            "match_key": _ref(self.match_key),
            "customer_id": self.customer_id,
            "period": self.period,
            "currency": self.currency,
            "left_ref": self.left_ref,
            "right_ref": _ref(self.right_ref),
            "difference": format(self.difference, "f"),
        }


@dataclass
class Views:
    """The finished views that defects are planted into.

    `taken`: ids of objects that carry a plant; `touched`: customers that such objects belong to.
    """

    world: World
    stripe: dict[str, list[Object]]
    orb: dict[str, list[Object]]
    deposits: list[Deposit]
    taken: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)

    @property
    def keys(self) -> Keys:
        return self.world.keys

    @property
    def times(self) -> int:
        """How often each class is planted."""
        return _times(len(self.world.company), 2)


def codes(wanted: str | Sequence[str]) -> list[str]:
    """The classes to plant: `all`, `none`, or codes in a list or a comma-separated text.

    ValueError: a code that is not a class, naming those that are.
    """
    known = [EVENT_MISSING, *PLANTS, INTERNAL]
    if wanted == "all":
        return known
    if wanted == "none":
        return []
    chosen = [code.strip() for code in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    unknown = [code for code in chosen if code not in known]
    if unknown:
        raise ValueError(f"defects: {', '.join(unknown)} cannot be planted; choose from {', '.join(known)}")
    return [code for code in known if code in chosen]


def drop_events(metered: Metered) -> tuple[NDArray[np.bool_], list[Answer]]:
    """Which events reach Orb: all but some of one customer's events of a name on a day, a few times."""
    keys, calendar, events, company = metered.keys, metered.calendar, metered.events, metered.company
    rng = keys.rng(f"defects/{EVENT_MISSING}")
    in_orb = np.ones(len(events), dtype=np.bool_)
    days = events.days(calendar)
    shape = (len(company), len(EVENT_NAMES), calendar.usage_days)
    cell = np.ravel_multi_index((events.customer, events.name, days), shape)
    counts = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape)
    answers: list[Answer] = []
    seen: set[str] = set()
    for number_of_plant in range(_times(len(company), 3)):
        name = (0, 3, 1)[number_of_plant]
        fresh = [c.position for c in company if c.account_type == "customer" and not {c.id, c.currency} & seen]
        found = np.argwhere(counts[fresh, name] >= 3)
        if not len(found):
            raise ValueError(
                f"{EVENT_MISSING}: no customer has three {EVENT_NAMES[name]} events on a day; ask for more events"
            )
        place, day = found[int(rng.integers(len(found)))]
        customer = company[fresh[int(place)]]
        seen |= {customer.id, customer.currency}
        rows = np.flatnonzero((events.customer == customer.position) & (events.name == name) & (days == day))
        lost = rng.choice(rows, int(rng.integers(1, len(rows))), replace=False)
        in_orb[lost] = False
        answers += _usage_lost(metered, customer, EVENT_NAMES[name], int(day), lost)
    return in_orb, answers


def _usage_lost(metered: Metered, customer: Customer, event_name: str, day: int, lost: Ints) -> Iterable[Answer]:
    on = metered.calendar.first_day + timedelta(days=day)
    for product in METERED:
        if product.event_name == event_name and product.metric:
            key = f"{customer.id}/{product.metric}/{on}"
            quantity = Decimal(number(int(metered.events.quantities[product.code][lost].sum())))
            yield Answer(
                EVENT_MISSING,
                METERED_COMPARISON,
                "break",
                key,
                customer.id,
                _month(on),
                product.metric,
                key,
                key,
                quantity,
            )


def plant(views: Views, wanted: Sequence[str]) -> list[Answer]:
    """Plants these classes in the catalogue's order here, the ones hardest to place first.

    ValueError: a class finds too few objects to carry it in so small a world.
    """
    answers = [answer for code, planted in PLANTS.items() if code in wanted for answer in planted(views, code)]
    for resource, objects in views.stripe.items():
        if objects and "created" in objects[0]:
            views.stripe[resource] = sorted(objects, key=lambda found: found["created"])
    return answers + _internal_accounts(views)


def _ref(value: str | Deposit | None) -> str | None:
    return value.ref if isinstance(value, Deposit) else value


def _month(day: date) -> str:
    return f"{day:%Y-%m}"


def _times(customers: int, usual: int) -> int:
    return usual if customers >= 30 else 1


@dataclass(frozen=True)
class _Carrier:
    """An object that a plant may go on, with whom and which currency it concerns."""

    id: str
    customer_id: str
    currency: str


def _choose(
    views: Views, code: str, what: str, carriers: Iterable[_Carrier], count: int | None = None
) -> list[_Carrier]:
    """`count` untaken carriers, in different currencies and of customers not touched before as far as that goes."""
    count = count or views.times
    free = [carrier for carrier in carriers if carrier.id not in views.taken]
    if len(free) < count:
        raise ValueError(
            f"{code}: needs {count} {what}, the world has {len(free)} free; ask for more customers or months"
        )
    order = views.keys.rng(f"defects/{code}").permutation(len(free))
    left = [free[int(index)] for index in order]
    chosen: list[_Carrier] = []
    while len(chosen) < count:
        used = {carrier.currency for carrier in chosen}
        best = min(left, key=lambda carrier: (carrier.currency in used) + (carrier.customer_id in views.touched))
        left.remove(best)
        chosen.append(best)
        views.touched.add(best.customer_id)
    views.taken |= {carrier.id for carrier in chosen}
    return chosen


def _find(objects: Iterable[Object], object_id: str) -> Object:
    return next(found for found in objects if found["id"] == object_id)


def _app_id(views: Views, stripe_customer_id: str) -> str:
    return next(c.id for c in views.world.company if c.stripe_customer_id == stripe_customer_id)


def _open_invoices(views: Views, currencies: Sequence[str] = ("USD", "EUR", "JPY")) -> list[_Carrier]:
    """Stripe invoices that came from Orb, unpaid and without credit notes."""
    return [
        _Carrier(i["id"], _app_id(views, i["customer"]), i["currency"].upper())
        for i in views.stripe["invoices"]
        if i["status"] == "open"
        and "orb_invoice_id" in i["metadata"]
        and not i["pre_payment_credit_notes_amount"]
        and i["currency"].upper() in currencies
    ]


def _pair(views: Views, stripe_invoice_id: str) -> tuple[Object, Object]:
    """The Orb invoice and the Stripe invoice made from it."""
    invoice = _find(views.stripe["invoices"], stripe_invoice_id)
    return _find(views.orb["invoices"], invoice["metadata"]["orb_invoice_id"]), invoice


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
    for carrier in _choose(views, code, "open invoices in dollars or euros", _open_invoices(views, ("USD", "EUR"))):
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
    for carrier in _choose(views, code, "open invoices", _open_invoices(views)):
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
    for carrier in _choose(views, code, "open invoices", _open_invoices(views)):
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
        period = _month(day_of(copy["created"]))
        amount = Decimal(orb_invoice["amount_due"])
        answers.append(_invoiced(code, INVOICED, orb_invoice, copy_id, copy_id, -amount, period))
    return answers


def _invoice_amount_differs(views: Views, code: str) -> list[Answer]:
    """Someone edited the largest line in Stripe by a tenth; up and down take turns."""
    answers = []
    for turn, carrier in enumerate(_choose(views, code, "open invoices", _open_invoices(views))):
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
        _Carrier(i["id"], contracts[i["customer"]].id, i["currency"].upper())
        for i in views.stripe["invoices"]
        if i["status"] == "paid" and i["customer"] in contracts and not i["post_payment_credit_notes_amount"]
    ]
    answers = []
    for carrier in _choose(views, code, "paid invoices of contracts", carriers):
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
    carriers = [_Carrier(c.id, c.id, c.currency) for c in contracts.values()]
    for turn, carrier in enumerate(_choose(views, code, "contract customers", carriers)):
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
                period=_month(day_of(created)),
                currency=customer.currency,
                left_ref=None,
                right_ref=invoice_id,
                difference=-to_major(made["total"], customer.currency),
            )
        )
    return answers


def _banked(
    code: str,
    status: str,
    match_key: str | Deposit,
    deposit: Deposit,
    left: str | None,
    right: Deposit | None,
    minor: int,
) -> Answer:
    return Answer(
        cause=code,
        comparison=BANKED,
        status=status,
        match_key=match_key,
        customer_id=None,
        period=_month(deposit.booked_on),
        currency=deposit.currency,
        left_ref=left,
        right_ref=right,
        difference=to_major(minor, deposit.currency),
    )


def _single(views: Views, carriers: Iterable[Deposit], code: str, what: str) -> list[Deposit]:
    """Chosen deposits that pay one payout each."""
    by_payout = {deposit.payout_ids[0]: deposit for deposit in carriers if len(deposit.payout_ids) == 1}
    chosen = _choose(views, code, what, (_Carrier(p, "", d.currency) for p, d in by_payout.items()))
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
    payouts = views.world.cash.payouts
    for earlier, later in pairwise(settled):
        both = (*earlier.payout_ids, *later.payout_ids)
        is_plain = len(both) == 2 and not views.taken & set(both) and earlier.currency == later.currency
        if is_plain and later.booked_on - earlier.booked_on <= timedelta(days=6):
            total = earlier.amount + later.amount
            own = [payout for payout in payouts if payout.currency == later.currency]
            near = [payout.amount for payout in own if abs(payout.arrival - later.booked_on) <= timedelta(days=10)]
            rivals = sum(sum(pair) == total for pair in combinations(near, 2))
            if rivals == 1 and total not in {payout.amount for payout in own}:
                follows[earlier.payout_ids[0]] = (earlier, later)
    answers: list[Answer] = []
    carriers = [_Carrier(payout_id, "", pair[0].currency) for payout_id, pair in follows.items()]
    for _ in range(views.times):
        free = [carrier for carrier in carriers if not views.taken & set(follows[carrier.id][1].payout_ids)]
        taken_currencies = {answer.currency for answer in answers}
        fresh = [carrier for carrier in free if carrier.currency not in taken_currencies] or free
        earlier, later = follows[_choose(views, code, "neighbouring payouts", fresh, 1)[0].id]
        both = (*earlier.payout_ids, *later.payout_ids)
        views.taken |= set(both)
        combined = Deposit(earlier.currency, earlier.amount + later.amount, later.booked_on, "STRIPE PAYOUT", "", both)
        views.deposits[views.deposits.index(later)] = combined
        views.deposits.remove(earlier)
        answers.append(_banked(code, "matched", combined, combined, ",".join(both), combined, 0))
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
    carriers = [_Carrier(f"stranger/{currency}", "", currency) for currency in ("USD", "EUR", "JPY")]
    answers = []
    for turn, carrier in enumerate(_choose(views, code, "accounts", carriers)):
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
        answers.append(_excluded(code, found["id"], customer_id, found["currency"].upper(), amount))
    return answers


def _internal_accounts(views: Views) -> list[Answer]:
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
                _excluded(INTERNAL, customer.id, customer.id, customer.currency, to_minor(billed, customer.currency))
            )
    return answers


def _excluded(code: str, object_id: str, customer_id: str | None, currency: str, minor: int) -> Answer:
    amount = to_major(minor, currency)
    return Answer(code, None, "excluded", object_id, customer_id, None, currency, None, None, amount)


EVENT_MISSING = "event_missing_in_orb"
INTERNAL = "internal_account"
PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    "invoice_currency_differs": _invoice_currency_differs,
    "invoice_not_synced": _invoice_not_synced,
    "invoice_synced_twice": _invoice_synced_twice,
    "invoice_amount_differs": _invoice_amount_differs,
    "paid_in_stripe_only": _paid_in_stripe_only,
    "invoice_unknown_to_orb": _invoice_unknown_to_orb,
    "deposit_late": _deposit_late,
    "deposit_combined": _deposit_combined,
    "payout_not_in_bank": _payout_not_in_bank,
    "deposit_amount_differs": _deposit_amount_differs,
    "deposit_unknown": _deposit_unknown,
    "test_mode_row": _test_mode_row,
}
