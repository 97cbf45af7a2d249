"""Stripe's view, API version 2026-05-27.dahlia: amounts in integer minor units, instants in seconds, lower-case currencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from sandbox.billing import DAYS_OF_DISPUTE, Invoice
from sandbox.calendar import DAY, HOUR, Calendar, instant
from sandbox.cash import CreditNote, Payment, Payout, Refund, Transaction, dispute_id
from sandbox.catalogue import CURRENCIES, PRODUCTS, money
from sandbox.company import Customer
from sandbox.keyed import Keys
from sandbox.pricing import to_minor
from sandbox.views import Object
from sandbox.world import World

API_VERSION = "2026-05-27.dahlia"
EMBEDDED_LINES = 10
FEED_DAYS = 30
_LEGACY = "legacy_support"


def build(world: World) -> dict[str, list[Object]]:
    """Every resource of the Stripe account but `events`, oldest first; invoices embed their first ten lines."""
    keys, cash = world.keys, world.cash
    payments_of: dict[str, list[Payment]] = defaultdict(list)
    for payment in cash.payments:
        if payment.invoice_id:
            payments_of[payment.invoice_id].append(payment)
    notes_of: dict[str, list[CreditNote]] = defaultdict(list)
    for note in cash.credit_notes:
        notes_of[note.invoice.id].append(note)
    refunds_of: dict[str, list[Refund]] = defaultdict(list)
    for made in cash.refunds:
        refunds_of[made.payment.intent_id].append(made)

    collected = [invoice for invoice in world.invoices if invoice.is_collected]
    items_and_taxes = [pair for invoice in collected for pair in _invoice_items(keys, invoice)]
    items = [item for item, _ in items_and_taxes]
    lines = [line_of_item(keys, item, tax) for item, tax in items_and_taxes]
    lines_of: dict[str, list[Object]] = defaultdict(list)
    for line in lines:
        lines_of[line["invoice"]].append(line)
    transactions = {found.id: balance_transaction(world.calendar, found) for found in cash.transactions}
    disputes = [dispute(keys, world.calendar, payment, transactions) for payment in cash.payments if payment.dispute]
    return {
        "customers": [_customer(keys, customer) for customer in world.company],
        "products": [product(keys, p.code, p.name, p.unit) for p in PRODUCTS]
        + [product(keys, _LEGACY, "Legacy support plan", "month")],
        "prices": [_legacy_price(keys, currency) for currency in CURRENCIES],
        "subscriptions": [_legacy_subscription(keys, world.company[number]) for number in range(3)],
        "invoices": [
            _invoice(
                keys, invoice, lines_of[stripe_invoice_id(keys, invoice)], payments_of[invoice.id], notes_of[invoice.id]
            )
            for invoice in collected
        ],
        "invoice_lines": lines,
        "invoice_payments": [
            invoice_payment(keys, invoice, payment, number)
            for invoice in collected
            for number, payment in enumerate(payments_of[invoice.id])
        ],
        "invoiceitems": items,
        "credit_notes": [credit_note(keys, note) for note in cash.credit_notes],
        "charges": [
            attempt for payment in cash.payments for attempt in charges(keys, payment, refunds_of[payment.intent_id])
        ],
        "payment_intents": [payment_intent(payment) for payment in cash.payments],
        "refunds": [refund(keys, made) for made in cash.refunds],
        "disputes": disputes,
        "balance_transactions": list(transactions.values()),
        "payouts": [_payout(keys, payout) for payout in cash.payouts],
        "payout_transactions": [
            {"payout": payout.id, "balance_transaction": member.id}
            for payout in cash.payouts
            if payout.is_automatic
            for member in (payout.transaction, *payout.paid_out)
        ],
    }


def product_id(keys: Keys, product_code: str) -> str:
    """Stripe's id of a product."""
    return keys.id("prod_", product_code, 14)


def stripe_invoice_id(keys: Keys, invoice: Invoice) -> str:
    """Stripe's id of the copy of an Orb invoice."""
    return keys.id("in_1", invoice.id, 23)


def _address(country: str) -> Object:
    return {"city": None, "country": country, "line1": None, "line2": None, "postal_code": None, "state": None}


def _customer(keys: Keys, customer: Customer) -> Object:
    return {
        "id": customer.stripe_customer_id,
        "object": "customer",
        "address": _address(customer.country),
        "balance": 0,
        "created": customer.created_at,
        "currency": customer.currency.lower(),
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": customer.email,
        "invoice_prefix": keys.id("", f"prefix/{customer.id}", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": True,
        "metadata": {"app_customer_id": customer.id},
        "name": customer.name,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def product(keys: Keys, code: str, name: str, unit: str) -> Object:
    """A product; `metadata.product_code` is the product's own code."""
    created = instant(Calendar(1).first_day) - 200 * DAY
    return {
        "id": product_id(keys, code),
        "object": "product",
        "active": code != _LEGACY,
        "created": created,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": True,
        "marketing_features": [],
        "metadata": {"product_code": code},
        "name": name,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": unit,
        "updated": created,
        "url": None,
    }


def _legacy_price(keys: Keys, currency: str) -> Object:
    amount = to_minor(money("99", currency), currency)
    return {
        "id": keys.id("price_1", f"{_LEGACY}/{currency}", 23),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": instant(Calendar(1).first_day) - 400 * DAY,
        "currency": currency.lower(),
        "custom_unit_amount": None,
        "livemode": True,
        "lookup_key": None,
        "metadata": {},
        "nickname": f"Legacy support {currency}",
        "product": product_id(keys, _LEGACY),
        "recurring": {
            "interval": "month",
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        },
        "tax_behavior": "exclusive",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }


def _legacy_subscription(keys: Keys, customer: Customer) -> Object:
    """Billed by Stripe before Orb came, canceled since: only a list with `status=all` shows it."""
    subscription_id = keys.id("sub_1", customer.id, 23)
    start = instant(Calendar(1).first_day) - 390 * DAY
    end = start + 180 * DAY
    item: Object = {
        "id": keys.id("si_", customer.id, 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": start,
        "current_period_end": end,
        "current_period_start": end - 30 * DAY,
        "discounts": [],
        "metadata": {},
        "price": _legacy_price(keys, customer.currency),
        "quantity": 1,
        "subscription": subscription_id,
        "tax_rates": [],
    }
    return {
        "id": subscription_id,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": start,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": end,
        "cancellation_details": {"comment": None, "feedback": None, "reason": "cancellation_requested"},
        "collection_method": "charge_automatically",
        "created": start,
        "currency": customer.currency.lower(),
        "customer": customer.stripe_customer_id,
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": end,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": [item],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        "latest_invoice": None,
        "livemode": True,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": start,
        "status": "canceled",
        "test_clock": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def _invoice_items(keys: Keys, invoice: Invoice) -> Iterator[tuple[Object, int]]:
    """What Orb hands over, each with its tax: a line gross, then as items of their own what discount and credits take."""
    invoice_id, created = stripe_invoice_id(keys, invoice), (invoice.issued_at or 0) + 240
    for line in invoice.lines:
        name = line.price.product.name if line.price.purpose != "minimum" else "Minimum commitment"
        parts = [
            ("line", name, line.subtotal + line.minimum, line.tax),
            ("discount", f"Discount on {name}", -line.discount, 0),
            ("credits", f"Prepaid credits applied to {name}", -line.credits, 0),
        ]
        for part, description, amount, tax in parts:
            if amount:
                item_name = f"{line.id}/{part}"
                item = invoice_item(
                    keys, item_name, invoice_id, invoice.customer, line.price.product.code, description, amount, created
                )
                item["metadata"] = {"orb_line_item_id": line.id}
                item["period"] = {"end": instant(line.end), "start": instant(line.start)}
                yield item, tax


def invoice_item(
    keys: Keys,
    name: str,
    invoice_id: str,
    customer: Customer,
    product_code: str,
    description: str,
    amount: int,
    created: int,
) -> Object:
    """An invoice item attached to an invoice."""
    return {
        "id": keys.id("ii_1", name, 23),
        "object": "invoiceitem",
        "amount": amount,
        "currency": customer.currency.lower(),
        "customer": customer.stripe_customer_id,
        "customer_account": None,
        "date": created,
        "description": description,
        "discountable": False,
        "discounts": [],
        "invoice": invoice_id,
        "livemode": True,
        "metadata": {},
        "net_amount": amount,
        "parent": None,
        "period": {"end": created, "start": created},
        "pricing": {
            "price_details": {
                "price": keys.id("price_1", f"inline/{name}", 23),
                "product": product_id(keys, product_code),
            },
            "type": "price_details",
            "unit_amount_decimal": str(amount),
        },
        "proration": False,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [],
        "test_clock": None,
    }


def line_of_item(keys: Keys, item: Object, tax: int) -> Object:
    """The invoice's line of an invoice item, with its tax."""
    amount = item["amount"]
    return {
        "id": keys.id("il_1", item["id"], 23),
        "object": "line_item",
        "amount": amount,
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": False,
        "discounts": [],
        "invoice": item["invoice"],
        "livemode": item["livemode"],
        "metadata": item["metadata"],
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": item["period"],
        "pretax_credit_amounts": [],
        "pricing": item["pricing"],
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "subtotal": amount,
        "taxes": [_tax(keys, tax)] if tax else [],
    }


def _tax(keys: Keys, amount: int) -> Object:
    return {
        "amount": amount,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": keys.id("txr_1", "orb", 23)},
        "taxability_reason": "standard_rated",
        "taxable_amount": None,
        "type": "tax_rate_details",
    }


def embed_lines(keys: Keys, invoice: Object, lines: list[Object]) -> None:
    """Makes an invoice's embedded lines and amounts follow from its line items and what has been paid."""
    subtotal = sum(line["amount"] for line in lines)
    taxes = sum(tax["amount"] for line in lines for tax in line["taxes"])
    total = subtotal + taxes
    invoice["lines"] = {
        "object": "list",
        "data": lines[:EMBEDDED_LINES],
        "has_more": len(lines) > EMBEDDED_LINES,
        "url": f"/v1/invoices/{invoice['id']}/lines",
    }
    is_void = invoice["status"] == "void"
    invoice |= {
        "amount_due": total - invoice["pre_payment_credit_notes_amount"],
        "amount_remaining": 0
        if is_void
        else total - invoice["pre_payment_credit_notes_amount"] - invoice["amount_paid"],
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_excluding_tax": subtotal,
        "total_taxes": [_tax(keys, taxes)] if taxes else [],
    }


def invoice(
    keys: Keys, invoice_id: str, customer: Customer, number: str, created: int, due_at: int, lines: list[Object]
) -> Object:
    """An open invoice of a customer with these lines."""
    built: Object = {
        "id": invoice_id,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Tieout Sandbox Inc.",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "send_invoice" if customer.contract else "charge_automatically",
        "created": created,
        "currency": customer.currency.lower(),
        "custom_fields": None,
        "customer": customer.stripe_customer_id,
        "customer_account": None,
        "customer_address": _address(customer.country),
        "customer_email": customer.email,
        "customer_name": customer.name,
        "customer_phone": None,
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": due_at if customer.contract else None,
        "effective_at": created + 60,
        "ending_balance": 0,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": f"https://invoice.stripe.com/i/acct_tieout/live_{invoice_id}",
        "invoice_pdf": f"https://pay.stripe.com/invoice/acct_tieout/live_{invoice_id}/pdf",
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {},
        "livemode": True,
        "metadata": {},
        "next_payment_attempt": None,
        "number": number,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
        "period_end": created,
        "period_start": created,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "open",
        "status_transitions": {
            "finalized_at": created + 60,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": created + 1,
    }
    embed_lines(keys, built, lines)
    return built


def _invoice(
    keys: Keys, source: Invoice, lines: list[Object], payments: list[Payment], notes: list[CreditNote]
) -> Object:
    created = (source.issued_at or 0) + 240
    built = invoice(
        keys, stripe_invoice_id(keys, source), source.customer, source.number, created, source.due_at or created, lines
    )
    built |= {
        "metadata": {"orb_invoice_id": source.id, "orb_invoice_number": source.number},
        "period_end": instant(source.period_end),
        "period_start": instant(source.period_start),
        "pre_payment_credit_notes_amount": sum(note.total for note in notes if not note.is_post_payment),
        "post_payment_credit_notes_amount": sum(note.total for note in notes if note.is_post_payment),
    }
    if source.voided_at is not None:
        built["status"] = "void"
        built["status_transitions"]["voided_at"] = source.voided_at
    if payments:
        paid_at = max(payment.at for payment in payments)
        built |= {
            "amount_paid": sum(payment.amount for payment in payments),
            "attempt_count": len(payments) + sum(payment.failed_at is not None for payment in payments),
            "attempted": True,
            "status": "paid",
        }
        built["status_transitions"]["paid_at"] = paid_at
    embed_lines(keys, built, lines)
    return built


def invoice_payment(keys: Keys, source: Invoice, payment: Payment, number: int) -> Object:
    """What a payment pays of an invoice; `number` counts the invoice's payments from 0."""
    return {
        "id": keys.id("inpay_1", payment.intent_id, 23),
        "object": "invoice_payment",
        "amount_paid": payment.amount,
        "amount_requested": payment.amount,
        "created": payment.failed_at or payment.at,
        "currency": payment.customer.currency.lower(),
        "invoice": stripe_invoice_id(keys, source),
        "is_default": number == 0,
        "livemode": True,
        "payment": {"payment_intent": payment.intent_id, "type": "payment_intent"},
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": payment.at},
    }


def _metadata(payment: Payment) -> dict[str, str]:
    if payment.wallet_transaction_id is None:
        return {}
    return {
        "purpose": "top_up",
        "app_customer_id": payment.customer.id,
        "wallet_transaction_id": payment.wallet_transaction_id,
    }


def payment_intent(payment: Payment) -> Object:
    """The payment's intent, succeeded."""
    created = (payment.failed_at or payment.at) - 2
    return {
        "id": payment.intent_id,
        "object": "payment_intent",
        "amount": payment.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": payment.amount,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": f"{payment.intent_id}_secret",
        "confirmation_method": "automatic",
        "created": created,
        "currency": payment.customer.currency.lower(),
        "customer": payment.customer.stripe_customer_id,
        "customer_account": None,
        "description": _description(payment),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": payment.charge_id,
        "livemode": True,
        "metadata": _metadata(payment),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": f"pm_1{payment.intent_id[4:]}",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": [payment.method],
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": "off_session" if payment.wallet_transaction_id else None,
        "shipping": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _description(payment: Payment) -> str:
    return "Credits purchased" if payment.wallet_transaction_id else "Payment for Invoice"


def charges(keys: Keys, payment: Payment, refunds: list[Refund]) -> Iterator[Object]:
    """The charge that was refused, if one was, and the one that succeeded."""
    if payment.failed_at is not None:
        yield _charge(payment, payment.failed_charge_id, payment.failed_at) | {
            "amount_captured": 0,
            "balance_transaction": None,
            "captured": False,
            "failure_code": "card_declined",
            "failure_message": "Your card was declined.",
            "outcome": _outcome("issuer_declined"),
            "paid": False,
            "status": "failed",
        }
    refunded = sum(refund.amount for refund in refunds)
    yield _charge(payment, payment.charge_id, payment.at) | {
        "amount_refunded": refunded,
        "balance_transaction": keys.id("txn_3", payment.charge_id, 23),
        "disputed": payment.dispute is not None,
        "refunded": refunded == payment.amount,
    }


def _charge(payment: Payment, charge_id: str, at: int) -> Object:
    return charge(
        charge_id,
        payment.customer,
        payment.amount,
        at,
        method=payment.method,
        payment_intent=payment.intent_id,
        metadata=_metadata(payment),
        description=_description(payment),
    )


def charge(
    charge_id: str,
    customer: Customer,
    amount: int,
    at: int,
    *,
    method: str,
    payment_intent: str | None,
    metadata: dict[str, str],
    description: str,
) -> Object:
    """A succeeded charge, as yet without a balance transaction."""
    return {
        "id": charge_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {
            "address": _address(customer.country),
            "email": customer.email,
            "name": customer.name,
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "TIEOUT SANDBOX" if method == "card" else None,
        "captured": True,
        "created": at,
        "currency": customer.currency.lower(),
        "customer": customer.stripe_customer_id,
        "description": description,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": True,
        "metadata": metadata,
        "on_behalf_of": None,
        "outcome": _outcome("authorized"),
        "paid": True,
        "payment_intent": payment_intent,
        "payment_method": f"pm_1{charge_id[4:]}",
        "payment_method_details": _payment_method_details(method, customer),
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": None,
    }


def _outcome(kind: str) -> Object:
    is_authorized = kind == "authorized"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None if is_authorized else "51",
        "network_status": "approved_by_network" if is_authorized else "declined_by_network",
        "reason": None if is_authorized else "insufficient_funds",
        "seller_message": "Payment complete." if is_authorized else "The bank declined this charge.",
        "type": kind,
    }


def _payment_method_details(method: str, customer: Customer) -> Object:
    if method == "us_bank_account":
        details: Object = {
            "account_holder_type": "company",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "fingerprint": None,
            "last4": "6789",
            "payment_reference": None,
            "routing_number": "110000000",
        }
    elif method == "sepa_debit":
        details = {
            "bank_code": "37040044",
            "branch_code": "",
            "country": customer.country,
            "fingerprint": None,
            "last4": "3000",
            "mandate": None,
        }
    else:
        details = {
            "amount_authorized": None,
            "brand": "visa",
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": customer.country,
            "exp_month": 8,
            "exp_year": 2030,
            "fingerprint": None,
            "funding": "credit",
            "installments": None,
            "last4": "4242",
            "mandate": None,
            "network": "visa",
            "three_d_secure": None,
            "wallet": None,
        }
    return {method: details, "type": method}


def refund(keys: Keys, made: Refund) -> Object:
    """A refund that succeeded, with the balance transaction that it names."""
    return {
        "id": made.id,
        "object": "refund",
        "amount": made.amount,
        "balance_transaction": keys.id("txn_3", made.id, 23),
        "charge": made.payment.charge_id,
        "created": made.at,
        "currency": made.payment.customer.currency.lower(),
        "destination_details": {made.payment.method: {}, "type": made.payment.method}
        if made.payment.method != "card"
        else {"card": {"type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": made.payment.intent_id,
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


def credit_note(keys: Keys, note: CreditNote) -> Object:
    """An issued credit note; what it gives back without a refund it gives back outside of Stripe."""
    taxes = [_tax(keys, note.tax)] if note.tax else []
    line = {
        "id": keys.id("cnli_1", note.number, 23),
        "object": "credit_note_line_item",
        "amount": note.amount,
        "description": f"Service credit: {note.line.price.product.name}",
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": True,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": 1,
        "tax_rates": [],
        "taxes": taxes,
        "type": "custom_line_item",
        "unit_amount": note.amount,
        "unit_amount_decimal": str(note.amount),
    }
    return {
        "id": note.stripe_id,
        "object": "credit_note",
        "amount": note.total,
        "amount_shipping": 0,
        "created": note.at,
        "currency": note.invoice.customer.currency.lower(),
        "customer": note.invoice.customer.stripe_customer_id,
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": note.at,
        "invoice": stripe_invoice_id(keys, note.invoice),
        "lines": {
            "object": "list",
            "data": [line],
            "has_more": False,
            "url": f"/v1/credit_notes/{note.stripe_id}/lines",
        },
        "livemode": True,
        "memo": None,
        "metadata": {"orb_credit_note_id": note.orb_id},
        "number": note.number,
        "out_of_band_amount": note.total if note.is_post_payment and not note.refund_id else None,
        "pdf": f"https://pay.stripe.com/credit_notes/acct_tieout/{note.stripe_id}/pdf",
        "post_payment_amount": note.total if note.is_post_payment else 0,
        "pre_payment_amount": 0 if note.is_post_payment else note.total,
        "pretax_credit_amounts": [],
        "reason": "product_unsatisfactory",
        "refunds": [
            {"amount_refunded": note.total, "payment_record_refund": None, "refund": note.refund_id, "type": "refund"}
        ]
        if note.refund_id
        else [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": note.amount,
        "subtotal_excluding_tax": note.amount,
        "total": note.total,
        "total_excluding_tax": note.amount,
        "total_taxes": taxes,
        "type": "post_payment" if note.is_post_payment else "pre_payment",
        "voided_at": None,
    }


_EVIDENCE_FIELDS = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def dispute(keys: Keys, calendar: Calendar, payment: Payment, transactions: Mapping[str, Object]) -> Object:
    """The dispute of a payment that has one, with its own balance transactions."""
    dispute = payment.dispute
    assert dispute is not None
    own_id = dispute_id(keys, payment)
    return {
        "id": own_id,
        "object": "dispute",
        "amount": payment.amount,
        "balance_transactions": [txn for txn in transactions.values() if txn["source"] == own_id],
        "charge": payment.charge_id,
        "created": dispute.opened_at,
        "currency": payment.customer.currency.lower(),
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE_FIELDS), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": dispute.opened_at + 14 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": dispute.status != "lost",
            "past_due": dispute.opened_at + 14 * DAY < instant(calendar.now) and dispute.status == "lost",
            "submission_count": int(dispute.status != "lost"),
        },
        "is_charge_refundable": False,
        "livemode": True,
        "metadata": {},
        "payment_intent": payment.intent_id,
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": "fraudulent",
        "status": dispute.status,
    }


def balance_transaction(calendar: Calendar, found: Transaction) -> Object:
    """A movement of the balance; pending while its money is not available."""
    currency = found.currency.lower()
    named = {"dispute": "Dispute fee", "payout": "Instant Payout fee"}
    fees = [
        {
            "amount": found.fee,
            "application": None,
            "currency": currency,
            "description": named.get(found.reporting_category, "Stripe processing fees"),
            "type": "stripe_fee",
        }
    ]
    return {
        "id": found.id,
        "object": "balance_transaction",
        "amount": found.amount,
        "available_on": found.available_at,
        "balance_type": "payments",
        "created": found.at,
        "currency": currency,
        "description": found.description,
        "exchange_rate": found.exchange_rate,
        "fee": found.fee,
        "fee_details": fees if found.fee else [],
        "net": found.net,
        "reporting_category": found.reporting_category,
        "source": found.source_id,
        "status": "available" if found.available_at <= instant(calendar.now) else "pending",
        "type": found.kind,
    }


def _payout(keys: Keys, paid: Payout) -> Object:
    built = payout(keys, paid.id, paid.currency, paid.amount, paid.at, instant(paid.arrival), paid.trace_id)
    built |= {"balance_transaction": paid.transaction.id, "method": paid.method}
    if not paid.is_automatic:
        built |= {"automatic": False, "reconciliation_status": "not_applicable"}
    if paid.returned:
        fail(built)
        built["failure_balance_transaction"] = paid.returned.id
    return built


def fail(paid: Object) -> None:
    """The bank has sent a payout back."""
    paid |= {
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed.",
        "status": "failed",
    }


def payout(keys: Keys, payout_id: str, currency: str, amount: int, at: int, arrival: int, trace_id: str) -> Object:
    """A paid automatic payout, as yet without a balance transaction of its own."""
    return {
        "id": payout_id,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": arrival,
        "automatic": True,
        "balance_transaction": None,
        "created": at,
        "currency": currency.lower(),
        "description": "STRIPE PAYOUT",
        "destination": keys.id("ba_1", currency, 23),
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": True,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "paid",
        "trace_id": {"status": "supported", "value": trace_id},
        "type": "bank_account",
    }


def feed(keys: Keys, calendar: Calendar, resources: dict[str, list[Object]]) -> list[Object]:
    """The change feed that follows from the finished resources: the last 30 days, oldest first.

    Events carry the object as it is now. Balance transactions have no events, nor have invoice lines.
    """
    since, until = instant(calendar.now) - FEED_DAYS * DAY, instant(calendar.now)
    events = []
    for at, kind, subject in _changes(resources):
        if since <= at < until:
            events.append(
                {
                    "id": keys.id("evt_1", f"{kind}/{subject['id']}/{at}", 23),
                    "object": "event",
                    "api_version": API_VERSION,
                    "created": at,
                    "data": {"object": subject},
                    "livemode": subject.get("livemode", True),
                    "pending_webhooks": 0,
                    "request": {"id": None, "idempotency_key": None},
                    "type": kind,
                }
            )
    return sorted(events, key=lambda event: (event["created"], event["id"]))


def _changes(resources: dict[str, list[Object]]) -> Iterator[tuple[int, str, Object]]:
    for customer in resources["customers"]:
        yield customer["created"], "customer.created", customer
    for item in resources["invoiceitems"]:
        yield item["date"], "invoiceitem.created", item
    for found in resources["invoices"]:
        moments = found["status_transitions"]
        yield found["created"], "invoice.created", found
        yield moments["finalized_at"], "invoice.finalized", found
        if moments["paid_at"]:
            yield moments["paid_at"], "invoice.paid", found
        if moments["voided_at"]:
            yield moments["voided_at"], "invoice.voided", found
        if moments["marked_uncollectible_at"]:
            yield moments["marked_uncollectible_at"], "invoice.marked_uncollectible", found
    for paid in resources["invoice_payments"]:
        if paid["status"] == "paid":
            yield paid["status_transitions"]["paid_at"], "invoice_payment.paid", paid
    for note in resources["credit_notes"]:
        yield note["created"], "credit_note.created", note
    for found in resources["charges"]:
        yield found["created"], f"charge.{found['status']}", found
    for refund in resources["refunds"]:
        yield refund["created"], "refund.created", refund
        yield refund["created"], "charge.refunded", _by_id(resources["charges"], refund["charge"])
        if refund["status"] == "failed":
            yield refund["created"] + HOUR // 2, "refund.failed", refund
    for intent in resources["payment_intents"]:
        yield intent["created"], "payment_intent.created", intent
        yield intent["created"] + 2, f"payment_intent.{intent['status']}", intent
    for dispute in resources["disputes"]:
        yield dispute["created"], "charge.dispute.created", dispute
        if dispute["status"] in ("won", "lost"):
            yield dispute["created"] + DAYS_OF_DISPUTE * DAY, "charge.dispute.closed", dispute
    for found in resources["payouts"]:
        yield found["created"], "payout.created", found
        yield max(found["arrival_date"] + 6 * HOUR, found["created"] + HOUR // 2), "payout.paid", found
        if found["automatic"]:
            yield found["arrival_date"] + 7 * HOUR, "payout.reconciliation_completed", found
        if found["status"] == "failed":
            yield found["arrival_date"] + DAY + 10 * HOUR, "payout.failed", found


def _by_id(objects: list[Object], object_id: str) -> Object:
    return next(found for found in objects if found["id"] == object_id)
