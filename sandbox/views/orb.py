"""Orb's view: amounts as decimal strings in major units, ledger amounts and quantities as JSON numbers, ISO instants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from sandbox.billing import Block, Invoice, LedgerEntry, Line, invoice_number
from sandbox.calendar import DAY, HOUR, add_months, day_of, instant, iso
from sandbox.cash import CreditNote, Payment
from sandbox.catalogue import (
    CREDIT,
    CURRENCIES,
    EVENT_NAMES,
    METERED,
    MODELS,
    PLATFORM_FEE,
    PRODUCTS,
    Price,
    Product,
    fee_prices,
    list_prices,
)
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.pricing import to_major
from sandbox.usage import MICRO, Ints, day_start, timestamps
from sandbox.views import Object
from sandbox.views.stripe import product_id
from sandbox.world import Backfill, World


def build(world: World) -> dict[str, list[Object]]:
    """Every resource of the Orb account but `events`, oldest first."""
    keys = world.keys
    payments_of: dict[str, list[Payment]] = defaultdict(list)
    for payment in world.cash.payments:
        if payment.invoice_id:
            payments_of[payment.invoice_id].append(payment)
    notes_of: dict[str, list[CreditNote]] = defaultdict(list)
    for note in world.cash.credit_notes:
        notes_of[note.invoice.id].append(note)
    customers = {customer.id: _customer(customer) for customer in world.company}
    plans = {plan["external_plan_id"]: plan for plan in _plans(keys, world)}
    sold = dict(_sold_on_invoices(world))
    return {
        "customers": list(customers.values()),
        "plans": list(plans.values()),
        "prices": _prices(keys, world),
        "items": [*(_item(keys, product, world) for product in PRODUCTS), _item_of_credit(keys, world)],
        "metrics": [_metric(keys, product, world) for product in METERED],
        "subscriptions": [_subscription(keys, world, c, customers[c.id], plans) for c in world.company],
        "invoices": [
            *(_invoice(keys, world, i, payments_of[i.id], notes_of[i.id]) for i in world.invoices),
            *sold.values(),
        ],
        "credit_notes": [credit_note(keys, note) for note in world.cash.credit_notes],
        "credit_ledger": [
            ledger_entry(customer, entry, sold.get(entry.block.id))
            for customer in world.company
            if customer.id in world.wallets
            for entry in world.wallets[customer.id].entries
        ],
        "credit_blocks": [
            credit_block(customer, block)
            for customer in world.company
            if customer.id in world.wallets
            for block in world.wallets[customer.id].blocks
        ],
        "backfills": _backfills(keys, world),
        "event_volume": _event_volume(world),
        "subscription_usage": list(_subscription_usage(keys, world)),
    }


def item_id(keys: Keys, product: Product) -> str:
    """Orb's id of the item of a product."""
    return keys.id("", f"item/{product.code}", 16)


def metric_id(keys: Keys, product: Product) -> str:
    """Orb's id of the billable metric of a product."""
    return keys.id("", f"metric/{product.code}", 16)


def _text(minor: int, currency: str) -> str:
    return format(to_major(minor, currency), "f")


def number(micro: int) -> int | Decimal:
    """Millionths as an exact JSON number."""
    if micro % MICRO == 0:
        return micro // MICRO
    return Decimal(micro).scaleb(-6).normalize()


def _minified(customer: Customer) -> Object:
    return {"id": customer.orb_customer_id, "external_customer_id": customer.id}


def _customer(customer: Customer) -> Object:
    address = {
        "line1": None,
        "line2": None,
        "city": None,
        "state": None,
        "postal_code": None,
        "country": customer.country,
    }
    return {
        "metadata": {},
        "id": customer.orb_customer_id,
        "external_customer_id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "timezone": "Etc/UTC",
        "payment_provider_id": customer.stripe_customer_id,
        "payment_provider": "stripe_invoice",
        "created_at": iso(customer.created_at + 30),
        "shipping_address": None,
        "billing_address": address,
        "balance": "0.00",
        "currency": customer.currency,
        "tax_id": None,
        "auto_collection": customer.contract is None,
        "exempt_from_automated_tax": None,
        "email_delivery": True,
        "auto_issuance": True,
        "additional_emails": [],
        "portal_url": None,
        "hierarchy": {"parent": None, "children": []},
    }


def _item(keys: Keys, product: Product, world: World) -> Object:
    return {
        "metadata": {"product_code": product.code},
        "id": item_id(keys, product),
        "name": product.name,
        "created_at": _before(world),
        "external_connections": [
            {"external_connection_name": "stripe", "external_entity_id": product_id(keys, product.code)}
        ],
        "archived_at": None,
    }


def _item_of_credit(keys: Keys, world: World) -> Object:
    return {**_item(keys, CREDIT, world), "metadata": {}, "external_connections": []}


def _before(world: World) -> str:
    return iso(instant(world.calendar.first_day) - 150 * DAY)


def _metric(keys: Keys, product: Product, world: World) -> Object:
    aggregate = f"sum({product.column})" if product.column else "count(*)"
    return {
        "metadata": {"metric_code": product.metric or ""},
        "id": metric_id(keys, product),
        "name": product.metric,
        "description": f"{product.name}, in {product.unit}s",
        "status": "active",
        "item": _item(keys, product, world),
        "parameter_definitions": None,
        "sql": f"select {aggregate} from events where event_name = '{product.event_name}'",
    }


_PRICE_TYPE = {
    "usage": "usage_price",
    "fixed_fee": "fixed_price",
    "minimum": "fixed_price",
    "percent_fee": "composite_price",
}


def _price(keys: Keys, price: Price, created_at: str, usage_prices: Sequence[str] = ()) -> Object:
    """`usage_prices`: ids of the prices that a percentage is taken of."""
    is_usage = price.purpose == "usage"
    cycle = {"duration": price.cycle.months, "duration_unit": "month"}
    return {
        "metadata": {"product_code": price.product.code},
        "id": price.id,
        "name": "Minimum commitment" if price.purpose == "minimum" else price.product.name,
        "external_price_id": price.external_id,
        "replaces_price_id": None,
        "price_type": _PRICE_TYPE[price.purpose],
        "model_type": price.model_type,
        f"{price.model_type}_config": price.config,
        "created_at": created_at,
        "cadence": {1: "monthly", 12: "annual"}[price.cycle.months],
        "billing_mode": "in_advance" if price.cycle.is_in_advance else "in_arrear",
        "billing_cycle_configuration": cycle,
        "invoicing_cycle_configuration": None,
        "billable_metric": {"id": metric_id(keys, price.product)} if is_usage else None,
        "fixed_price_quantity": 1 if _PRICE_TYPE[price.purpose] == "fixed_price" else None,
        "plan_phase_order": None,
        "currency": price.currency,
        "conversion_rate": None,
        "conversion_rate_config": None,
        "item": {"id": item_id(keys, price.product), "name": price.product.name},
        "credit_allocation": None,
        "composite_price_filters": [{"field": "price_id", "operator": "includes", "values": list(usage_prices)}]
        if price.purpose == "percent_fee"
        else None,
        "invoice_grouping_key": None,
        "discount": None,
        "minimum": None,
        "minimum_amount": None,
        "maximum": None,
        "maximum_amount": None,
    }


def _price_of(keys: Keys, world: World, customer: Customer, price: Price) -> Object:
    created_at = iso(customer.contract.created_at) if customer.contract else _before(world)
    return _price(keys, price, created_at, _usage_price_ids(customer))


def _usage_price_ids(customer: Customer) -> list[str]:
    return [price.id for price in customer.prices.values() if price.purpose == "usage"]


def _prices(keys: Keys, world: World) -> list[Object]:
    """The list prices of every currency, then each contract's own."""
    listed = [
        _price(keys, price, _before(world))
        for currency in CURRENCIES
        for price in (*list_prices(keys, currency).values(), *fee_prices(keys, currency))
    ]
    custom = [_price_of(keys, world, c, price) for c in world.company if c.contract for price in c.prices.values()]
    return listed + custom


def _plans(keys: Keys, world: World) -> Iterator[Object]:
    """Two a currency: pay as you go with the list prices, and the enterprise plan whose prices contracts override."""
    for currency in CURRENCIES:
        listed = [_price(keys, price, _before(world)) for price in list_prices(keys, currency).values()]
        fees = [_price(keys, price, _before(world)) for price in fee_prices(keys, currency)]
        for kind, name, prices, net_terms in (
            ("pay_as_you_go", "Pay as you go", listed, 0),
            ("enterprise", "Enterprise", fees, 30),
        ):
            external_id = f"{kind}_{currency.lower()}"
            plan_id = keys.id("", f"plan/{external_id}", 16)
            yield {
                "metadata": {},
                "id": plan_id,
                "name": f"{name} {currency}",
                "description": f"{name}, invoiced monthly in {currency}",
                "maximum_amount": None,
                "minimum_amount": None,
                "created_at": _before(world),
                "status": "active",
                "maximum": None,
                "minimum": None,
                "discount": None,
                "product": {"created_at": _before(world), "id": keys.id("", "orb product", 16), "name": "Inference"},
                "version": 1,
                "trial_config": {"trial_period": None, "trial_period_unit": "days"},
                "plan_phases": None,
                "base_plan": None,
                "base_plan_id": None,
                "external_plan_id": external_id,
                "currency": currency,
                "invoicing_currency": currency,
                "net_terms": net_terms,
                "default_invoice_memo": None,
                "prices": prices,
                "adjustments": [],
            }


def _subscription(
    keys: Keys, world: World, customer: Customer, orb_customer: Object, plans: dict[str, Object]
) -> Object:
    start, end = iso(instant(customer.start)), iso(instant(customer.end)) if customer.end else None
    month = world.calendar.now.replace(day=1)
    running = {price.id: (None, None) if end else _cycle(customer, price, month) for price in customer.prices.values()}
    period = (None, None) if end else _spanning(month, 1)
    kind = "enterprise" if customer.contract else "pay_as_you_go"
    intervals = {
        price.id: keys.id("", f"price interval/{customer.id}/{price.id}", 16) for price in customer.prices.values()
    }
    return {
        "metadata": {"contract_id": customer.contract.id} if customer.contract else {},
        "id": customer.orb_subscription_id,
        "customer": orb_customer,
        "plan": plans[f"{kind}_{customer.currency.lower()}"],
        "name": f"{customer.name} {kind.replace('_', ' ')}",
        "start_date": start,
        "end_date": end,
        "created_at": iso(instant(customer.start) - HOUR // 2),
        "current_billing_period_start_date": period[0],
        "current_billing_period_end_date": period[1],
        "status": "ended" if end else "active",
        "trial_info": {"end_date": None},
        "active_plan_phase_order": None,
        "fixed_fee_quantity_schedule": [],
        "default_invoice_memo": None,
        "auto_collection": customer.contract is None,
        "auto_issuance": True,
        "net_terms": customer.contract.net_terms_days if customer.contract else 0,
        "redeemed_coupon": None,
        "billing_cycle_day": 1,
        "billing_cycle_anchor_configuration": {"day": 1, "month": _anchor_month(customer), "year": None},
        "invoicing_threshold": None,
        "price_intervals": [
            {
                "id": intervals[price.id],
                "start_date": start,
                "end_date": end,
                "price": _price_of(keys, world, customer, price),
                "billing_cycle_day": 1,
                "can_defer_billing": False,
                "fixed_fee_quantity_transitions": None,
                "current_billing_period_start_date": running[price.id][0],
                "current_billing_period_end_date": running[price.id][1],
                "filter": None,
                "usage_customer_ids": None,
                "metric_parameter_overrides": None,
            }
            for price in customer.prices.values()
        ],
        "adjustment_intervals": [
            {
                "id": keys.id("", f"adjustment interval/{adjustment['id']}", 16),
                "adjustment": {**adjustment, "plan_phase_order": None},
                "start_date": begins,
                "end_date": ends,
                "applies_to_price_interval_ids": [
                    intervals[price_id] for price_id in adjustment["applies_to_price_ids"]
                ],
            }
            for adjustment, begins, ends in _adjustments(keys, customer)
        ],
        "discount_intervals": [],
        "minimum_intervals": [],
        "maximum_intervals": [],
        "pending_subscription_change": None,
    }


def _anchor_month(customer: Customer) -> int | None:
    """The month in which cycles of more than one month begin."""
    return customer.start.month if any(price.cycle.months > 1 for price in customer.prices.values()) else None


def _cycle(customer: Customer, price: Price, month: date) -> tuple[str, str]:
    """The billing period of a price that a month is in."""
    while not price.cycle.begins(month, customer.start):
        month = add_months(month, -1)
    return _spanning(month, price.cycle.months)


def _spanning(month: date, months: int) -> tuple[str, str]:
    return iso(instant(month)), iso(instant(add_months(month, months)))


def _adjustments(keys: Keys, customer: Customer) -> Iterator[tuple[Object, str, str | None]]:
    """A contract's adjustments, each with the instants from and to which it holds."""
    contract = customer.contract
    if contract is None:
        return
    start, end = iso(instant(customer.start)), iso(instant(customer.end)) if customer.end else None
    usage_prices = _usage_price_ids(customer)
    if contract.discount_percent:
        fraction = (contract.discount_percent / 100).normalize()
        details: Object = {"percentage_discount": fraction}
        yield _adjustment(keys, customer, "percentage_discount", "Contract discount", usage_prices, details), start, end
    committed = {
        "minimum_amount": format(contract.monthly_commitment, "f"),
        "item_id": item_id(keys, PLATFORM_FEE),
        "is_invoice_level": True,
    }
    yield _adjustment(keys, customer, "minimum", "Monthly commitment", usage_prices, committed), start, end
    for found in contract.adjustments:
        field, value = {
            "usage_discount": ("usage_discount", int(found.value)),
            "amount_discount": ("amount_discount", format(found.value, "f")),
            "maximum": ("maximum_amount", format(found.value, "f")),
        }[found.kind]
        price_ids = [customer.prices[found.product.code].id]
        until = iso(instant(found.end)) if found.end else None
        yield (
            _adjustment(keys, customer, found.kind, "Contract", price_ids, {field: value}),
            iso(instant(found.start)),
            until,
        )


def _adjustment(
    keys: Keys, customer: Customer, kind: str, reason: str, price_ids: list[str], details: Object
) -> Object:
    return {
        "id": keys.id("", f"{kind}/{customer.id}", 16),
        "is_invoice_level": False,
        "filters": [],
        "applies_to_price_ids": price_ids,
        "reason": reason,
        "replaces_adjustment_id": None,
        "adjustment_type": kind,
        **details,
    }


def _invoice(keys: Keys, world: World, invoice: Invoice, payments: list[Payment], notes: list[CreditNote]) -> Object:
    currency, customer = invoice.customer.currency, invoice.customer
    amount_due = _text(invoice.amount_due, currency)
    paid_at = None
    if payments:
        paid_at = max(payment.at for payment in payments)
    elif invoice.issued_at is not None and invoice.amount_due == 0:
        paid_at = invoice.issued_at
    if invoice.issued_at is None:
        status = "draft"
    elif invoice.voided_at is not None:
        status = "void"
    else:
        status = "synced" if paid_at is None else "paid"
    issue_time = instant(invoice.invoice_date) + 12 * HOUR
    failed = [payment.failed_at for payment in payments if payment.failed_at is not None]
    return {
        "metadata": {},
        "id": invoice.id,
        "invoice_number": invoice.number,
        "customer": _minified(customer),
        "subscription": {"id": customer.orb_subscription_id},
        "status": status,
        "invoice_source": invoice.source,
        "currency": currency,
        "subtotal": _text(sum(line.subtotal for line in invoice.lines), currency),
        "total": amount_due,
        "amount_due": amount_due,
        "invoice_date": iso(instant(invoice.invoice_date)),
        "created_at": iso(invoice.created_at),
        "due_date": iso(invoice.due_at) if invoice.due_at is not None else None,
        "issued_at": _iso_or_none(invoice.issued_at),
        "paid_at": _iso_or_none(paid_at),
        "voided_at": _iso_or_none(invoice.voided_at),
        "scheduled_issue_at": iso(issue_time) if status == "draft" else None,
        "eligible_to_issue_at": iso(issue_time) if status == "draft" else None,
        "will_auto_issue": status == "draft",
        "issue_failed_at": None,
        "sync_failed_at": None,
        "payment_failed_at": _iso_or_none(max(failed, default=None)),
        "payment_started_at": _iso_or_none(min((p.failed_at or p.at for p in payments), default=None)),
        "auto_collection": {
            "next_attempt_at": None,
            "previously_attempted_at": None,
            "enabled": customer.contract is None,
            "num_attempts": len(payments) + len(failed),
        },
        "invoice_pdf": None,
        "hosted_invoice_url": None,
        "customer_balance_transactions": [],
        "shipping_address": None,
        "billing_address": None,
        "customer_tax_id": None,
        "memo": None,
        "credit_notes": [
            {
                "id": note.orb_id,
                "credit_note_number": note.number,
                "reason": "Product unsatisfactory",
                "total": _text(note.total, currency),
                "voided_at": None,
                "type": "refund" if note.is_post_payment else "adjustment",
                "memo": None,
            }
            for note in notes
        ],
        "payment_attempts": payment_attempts(keys, payments),
        "discount": None,
        "discounts": [],
        "minimum": None,
        "minimum_amount": None,
        "maximum": None,
        "maximum_amount": None,
        "line_items": [_line(keys, world, customer, line) for line in invoice.lines],
    }


def _sold_on_invoices(world: World) -> Iterator[tuple[str, Object]]:
    """By block: the invoice of the first top-up of every fourth customer, whose service lasts as long as the credit."""
    payments = {payment.intent_id: payment for payment in world.cash.payments}
    returned = {refund.payment.intent_id for refund in world.cash.refunds}
    for customer in world.company:
        if customer.position % 4 == 1 and customer.id in world.wallets and not customer.is_internal:
            block = next(block for block in world.wallets[customer.id].blocks if "payment_intent" in block.metadata)
            payment = payments[block.metadata["payment_intent"]]
            if payment.dispute is None and payment.intent_id not in returned:
                yield block.id, credit_invoice(world, payment, day_of(block.expires_at))


def credit_invoice(world: World, payment: Payment, end: date) -> Object:
    """The invoice that Orb issued for a top-up, collected by the top-up's own payment. Its line serves until `end`; until the
    day of the invoice it has no period."""
    keys, customer, day = world.keys, payment.customer, day_of(payment.at)
    code, issued_at = f"credit/{payment.intent_id}", payment.failed_at or payment.at
    config = {"unit_amount": _text(payment.amount, customer.currency)}
    price = Price(keys.id("", f"price/{code}", 16), code, CREDIT, customer.currency, "unit", config, "fixed_fee")
    line = Line(
        id=keys.id("", f"orb line/{code}", 16),
        price=price,
        start=day,
        end=end,
        quantity=MICRO,
        by_model={"": MICRO},
        subtotal=payment.amount,
        adjustments=(),
        credits=0,
        tax=0,
    )
    invoice = Invoice(
        id=keys.id("", f"orb invoice/{code}", 16),
        number=invoice_number(keys, len(world.invoices) + world.cash.payments.index(payment)),
        customer=customer,
        source="one_off",
        period_start=day,
        period_end=end,
        invoice_date=day,
        created_at=issued_at,
        issued_at=issued_at,
        due_at=instant(day),
        voided_at=None,
        lines=(line,),
    )
    return {**_invoice(keys, world, invoice, [payment], []), "subscription": None}


def payment_attempts(keys: Keys, payments: Iterable[Payment]) -> list[Object]:
    """What Orb heard of payments: for each the attempt that was refused, if one was, and the one that succeeded."""
    return [
        {
            "id": keys.id("", f"payment attempt/{payment.intent_id}/{succeeded}", 16),
            "payment_provider": "stripe",
            "payment_provider_id": payment.intent_id,
            "amount": _text(payment.amount, payment.customer.currency),
            "succeeded": succeeded,
            "created_at": iso(at),
            "receipt_pdf": None,
        }
        for payment in payments
        for succeeded, at in ((False, payment.failed_at), (True, payment.at))
        if at is not None
    ]


def _iso_or_none(seconds: int | None) -> str | None:
    return None if seconds is None else iso(seconds)


def _line(keys: Keys, world: World, customer: Customer, line: Line) -> Object:
    currency = customer.currency
    agreed = {adjustment["adjustment_type"]: adjustment for adjustment, _, _ in _adjustments(keys, customer)}
    price = _price_of(keys, world, customer, line.price)
    return {
        "id": line.id,
        "name": price["name"],
        "price": price,
        "quantity": number(line.quantity),
        "start_date": iso(instant(line.start)),
        "end_date": iso(instant(line.end)),
        "grouping": None,
        "subtotal": _text(line.subtotal, currency),
        "adjustments": [{**agreed[kind], "amount": _text(amount, currency)} for kind, amount in line.adjustments],
        "adjusted_subtotal": _text(line.adjusted, currency),
        "credits_applied": _text(line.credits, currency),
        "partially_invoiced_amount": _text(0, currency),
        "amount": _text(line.amount, currency),
        "tax_amounts": [
            {
                "tax_rate_description": f"Sales tax {customer.country}",
                "tax_rate_percentage": format(customer.tax_percent, "f"),
                "amount": _text(line.tax, currency),
            }
        ]
        # credit is a voucher: its use is taxed, not its sale
        if customer.tax_percent and line.price.product != CREDIT
        else [],
        "sub_line_items": list(_sub_lines(line)),
        "usage_customer_ids": [customer.orb_customer_id] if line.price.purpose == "usage" else None,
        "filter": None,
    }


def _sub_lines(line: Line) -> Iterator[Object]:
    """The unrounded parts of matrix and tiered lines."""
    config: dict[str, Any] = line.price.config
    if line.price.model_type == "matrix":
        amounts = {value["dimension_values"][0]: value["unit_amount"] for value in config["matrix_values"]}
        for model, micro in line.by_model.items():
            unit_amount = Decimal(amounts.get(model, config["default_unit_amount"]))
            yield {
                "type": "matrix",
                "name": model,
                "amount": _exact(number(micro) * unit_amount),
                "quantity": number(micro),
                "grouping": {"key": "model", "value": model},
                "scaled_quantity": None,
                "matrix_config": {"dimension_values": [model]},
            }
    elif line.price.model_type == "tiered":
        for tier in config["tiers"]:
            last = None if tier["last_unit"] is None else tier["last_unit"] * MICRO
            reached = line.quantity if last is None else min(line.quantity, last)
            micro = reached - tier["first_unit"] * MICRO
            if micro > 0:
                yield {
                    "type": "tier",
                    "name": f"Over {tier['first_unit']}",
                    "amount": _exact(number(micro) * Decimal(tier["unit_amount"])),
                    "quantity": number(micro),
                    "grouping": None,
                    "tier_config": tier,
                }


def _exact(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def credit_note(keys: Keys, note: CreditNote) -> Object:
    """An issued credit note."""
    currency = note.invoice.customer.currency
    return {
        "id": note.orb_id,
        "created_at": iso(note.at),
        "voided_at": None,
        "credit_note_number": note.number,
        "invoice_id": note.invoice.id,
        "memo": None,
        "reason": "Product unsatisfactory",
        "type": "refund" if note.is_post_payment else "adjustment",
        "subtotal": _text(note.amount, currency),
        "total": _text(note.total, currency),
        "customer": _minified(note.invoice.customer),
        "credit_note_pdf": None,
        "minimum_amount_refunded": None,
        "discounts": [],
        "maximum_amount_adjustment": None,
        "line_items": [
            {
                "id": keys.id("", f"credit note line/{note.number}", 16),
                "name": note.line.price.product.name,
                "subtotal": _text(note.amount, currency),
                "amount": _text(note.amount, currency),
                "quantity": None,
                "discounts": [],
                "tax_amounts": [
                    {
                        "tax_rate_description": f"Sales tax {note.invoice.customer.country}",
                        "tax_rate_percentage": format(note.invoice.customer.tax_percent, "f"),
                        "amount": _text(note.tax, currency),
                    }
                ]
                if note.tax
                else [],
                "item_id": item_id(keys, note.line.price.product),
                "start_time_inclusive": iso(instant(note.line.start)),
                "end_time_exclusive": iso(instant(note.line.end)),
            }
        ],
    }


def ledger_entry(customer: Customer, entry: LedgerEntry, invoice: Object | None = None) -> Object:
    """An entry of a customer's credit ledger. `invoice`: what its block was sold on."""
    currency = customer.currency
    own: Object = {}
    if entry.kind == "decrement":
        own = {"price_id": entry.price.id if entry.price else None, "invoice_id": entry.invoice_id, "event_id": None}
    elif entry.kind == "increment":
        own = {"created_invoices": None if invoice is None else [invoice]}
    elif entry.kind == "void":
        own = {"void_reason": "refund", "void_amount": to_major(-entry.amount, currency)}
    return {
        "metadata": entry.metadata,
        "id": entry.id,
        "ledger_sequence_number": entry.sequence,
        "entry_status": "committed",
        "customer": _minified(customer),
        "starting_balance": to_major(entry.starting, currency),
        "ending_balance": to_major(entry.ending, currency),
        "amount": to_major(entry.amount, currency),
        "currency": currency,
        "created_at": iso(entry.at),
        "description": entry.description,
        "credit_block": {
            "id": entry.block.id,
            "expiry_date": iso(entry.block.expires_at),
            "per_unit_cost_basis": entry.block.cost_basis,
            "filters": [],
        },
        "entry_type": entry.kind,
        **own,
    }


def credit_block(customer: Customer, block: Block) -> Object:
    """A customer's credit block as it is now, beside the id of whose it is."""
    return {
        "id": block.id,
        "customer_id": customer.orb_customer_id,
        "metadata": block.metadata,
        "balance": to_major(block.remaining, customer.currency),
        "effective_date": iso(block.effective_at),
        "expiry_date": iso(block.expires_at),
        "per_unit_cost_basis": block.cost_basis,
        "status": "active",
        "maximum_initial_balance": to_major(block.granted, customer.currency),
        "filters": [],
        "credit_block_source": "manual",
    }


def _backfills(keys: Keys, world: World) -> list[Object]:
    return [_backfill(keys, world, backfill) for backfill in world.orb_events.backfills]


def _backfill(keys: Keys, world: World, backfill: Backfill) -> Object:
    """Made at nine on the next day, closed an hour later, and where it was undone, two days after that."""
    customer, events = backfill.customer, world.orb_events.events
    ingested = backfill.ingested
    if ingested is None:
        seconds = events.occurred_us // MICRO
        within = (seconds >= backfill.start) & (seconds < backfill.end)
        ingested = int(((events.customer == customer.position) & within & ~world.orb_events.deprecated).sum())
    created = instant(day_of(backfill.start) + timedelta(days=1)) + 9 * HOUR
    return {
        "id": keys.id("", f"backfill/{customer.id}/{backfill.start}", 16),
        "status": backfill.status,
        "created_at": iso(created),
        "timeframe_start": iso(backfill.start),
        "timeframe_end": iso(backfill.end),
        "events_ingested": ingested,
        "close_time": iso(created + HOUR),
        "reverted_at": iso(created + 2 * DAY) if backfill.status == "reverted" else None,
        "customer_id": customer.orb_customer_id,
        "deprecation_filter": None,
        "replace_existing_events": backfill.ingested is None,
    }


def _event_volume(world: World) -> list[Object]:
    counted = world.orb_events.events.occurred_us[~world.orb_events.deprecated]
    hours, counts = np.unique(counted // MICRO // HOUR, return_counts=True)
    return [
        {"timeframe_start": iso(hour * HOUR), "timeframe_end": iso(hour * HOUR + HOUR), "count": count}
        for hour, count in zip(hours.tolist(), counts.tolist(), strict=True)
    ]


def _subscription_usage(keys: Keys, world: World) -> Iterator[Object]:
    """Usage by metric and day, days with usage only."""
    starts = [day_start(world.calendar, day) for day in range(world.calendar.usage_days + 1)]
    instants = [start.isoformat() for start in starts]
    for customer in world.company:
        for product in METERED:
            totals = world.orb_usage[product.code][customer.position].sum(axis=1)
            usage = [
                {
                    "quantity": number(int(totals[day])),
                    "timeframe_start": instants[day],
                    "timeframe_end": instants[day + 1],
                }
                for day in np.flatnonzero(totals).tolist()
            ]
            if usage:
                yield {
                    "subscription_id": customer.orb_subscription_id,
                    "billable_metric": {"id": metric_id(keys, product), "name": product.metric},
                    "view_mode": "periodic",
                    "usage": usage,
                }


def event_lines(world: World) -> Iterator[str]:
    """Orb's events as JSON text, one line an event: 300,000 of them are too many to build as objects first.

    A search finds an event by its id only where it has not been amended, so amended ones are not among them.
    """
    events, company = world.orb_events.events, world.company
    owners = [f'"customer_id":"{c.orb_customer_id}","external_customer_id":"{c.id}"' for c in company]
    instants = timestamps(events.occurred_us)
    columns: dict[str, list[tuple[str, Ints]]] = {event_name: [] for event_name in EVENT_NAMES}
    for product in METERED:
        if product.column:
            columns[product.event_name].append((product.column, events.quantities[product.code]))
    for row in np.flatnonzero(~world.orb_events.amended).tolist():
        event_name = EVENT_NAMES[events.name[row]]
        quantities = ",".join(f'"{column}":{number(int(values[row]))}' for column, values in columns[event_name])
        yield (
            f'{{"id":"{events.ids[row]}",{owners[events.customer[row]]},"event_name":"{event_name}",'
            f'"properties":{{"model":"{MODELS[event_name][events.model[row]]}",{quantities}}},'
            f'"timestamp":"{instants[row]}","deprecated":{"true" if world.orb_events.deprecated[row] else "false"}}}\n'
        )
