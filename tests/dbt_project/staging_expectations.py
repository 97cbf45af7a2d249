"""What staging must say of a Stripe object, written down a second time and without SQL.

`STRIPE[stream]` names the resource of ../shared/specs/stripe-fixtures.json and, per column of `stg_stripe__<stream>`, a
function from the object (its JSON, numbers with a fraction as Decimal) to the value: text, bool, int, Decimal in major
units, UTC datetime, date or None. A test over any path from API to staging can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

Value = str | bool | int | Decimal | datetime | date | None
Column = Callable[[dict[str, Any]], Value]

# docs.stripe.com/currencies: everything else is written with two decimals
_NO_DECIMALS = ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
_THREE_DECIMALS = ("BHD", "JOD", "KWD", "OMR", "TND")


@dataclass(frozen=True)
class Staged:
    """`resource` in the fixtures, and the columns of the staging model; `key` gives the object's id in raw."""

    resource: str
    columns: Mapping[str, Column]
    key: Column = lambda found: str(found["id"])


def at(*paths: str) -> Column:
    """The first of the paths ('a.b.0.c') that is there and not null."""

    def read(found: dict[str, Any]) -> Any:
        for path in paths:
            value: Any = found
            for step in path.split("."):
                if isinstance(value, list):
                    value = value[int(step)] if int(step) < len(value) else None
                else:
                    value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                return value
        return None

    return read


def text(*paths: str) -> Column:
    return at(*paths)


def upper(path: str) -> Column:
    return lambda found: None if at(path)(found) is None else str(at(path)(found)).upper()


def instant(*paths: str) -> Column:
    def read(found: dict[str, Any]) -> Value:
        seconds = at(*paths)(found)
        return None if seconds is None else datetime.fromtimestamp(int(str(seconds)), UTC)

    return read


def decimal(*paths: str) -> Column:
    return lambda found: None if at(*paths)(found) is None else Decimal(str(at(*paths)(found)))


def major(*paths: str) -> Column:
    """Minor units of the object's currency to major units."""

    def read(found: dict[str, Any]) -> Value:
        minor, currency = decimal(*paths)(found), str(found.get("currency")).upper()
        exponent = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
        return None if minor is None else Decimal(str(minor)).scaleb(-exponent)

    return read


def _tax(found: dict[str, Any]) -> Value:
    total, without = major("total")(found), major("total_excluding_tax")(found)
    return total - without if isinstance(total, Decimal) and isinstance(without, Decimal) else None


def _sum(path: str, key: str = "amount", currency: str = "currency") -> Column:
    """The amounts of a list's elements, in major units."""

    def read(found: dict[str, Any]) -> Value:
        elements: Any = at(path)(found) or []
        return major("sum")({"currency": at(currency)(found), "sum": sum(element[key] for element in elements)})

    return read


def _count(path: str) -> Column:
    return lambda found: len(at(path)(found) or [])  # type: ignore[arg-type]


def _day(path: str) -> Column:
    def read(found: dict[str, Any]) -> Value:
        value = instant(path)(found)
        return value.date() if isinstance(value, datetime) else None

    return read


_LIVE = {"is_livemode": at("livemode")}
_CREATED = {"created_at": instant("created")}
_CURRENCY = {"currency": upper("currency")}
_METADATA = {
    "app_customer_id": text("metadata.app_customer_id"),
    "wallet_transaction_id": text("metadata.wallet_transaction_id"),
    "purpose": text("metadata.purpose"),
}
_TRANSACTION = {
    "source_id": text("source"),
    "type": text("type"),
    "reporting_category": text("reporting_category"),
    "status": text("status"),
    "gross_amount": major("amount"),
    "fee_amount": major("fee"),
    "net_amount": major("net"),
    "available_at": instant("available_on"),
    **_CURRENCY,
    **_CREATED,
}
FIXTURE_PAYOUT = "po_1Pgc79B7WZ01zgkWu1KToYf4"

STRIPE: Mapping[str, Staged] = {
    "customers": Staged(
        "customer",
        {
            "customer_id": text("id"),
            "app_customer_id": text("metadata.app_customer_id"),
            "customer_name": text("name"),
            "email": text("email"),
            "country": text("address.country"),
            "description": text("description"),
            "tax_exempt": text("tax_exempt"),
            "balance_amount": major("balance"),
            "is_delinquent": at("delinquent"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "products": Staged(
        "product",
        {
            "product_id": text("id"),
            "default_price_id": text("default_price"),
            "product_code": text("metadata.product_code"),
            "product_name": text("name"),
            "product_type": text("type"),
            "description": text("description"),
            "unit_label": text("unit_label"),
            "is_active": at("active"),
            "updated_at": instant("updated"),
            **_LIVE,
            **_CREATED,
        },
    ),
    "prices": Staged(
        "price",
        {
            "price_id": text("id"),
            "product_id": text("product"),
            "lookup_key": text("lookup_key"),
            "nickname": text("nickname"),
            "price_type": text("type"),
            "billing_scheme": text("billing_scheme"),
            "tiers_mode": text("tiers_mode"),
            "recurring_interval": text("recurring.interval"),
            "recurring_interval_count": at("recurring.interval_count"),
            "usage_type": text("recurring.usage_type"),
            "unit_amount": major("unit_amount_decimal"),
            "is_active": at("active"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "subscriptions": Staged(
        "subscription",
        {
            "subscription_id": text("id"),
            "customer_id": text("customer"),
            "latest_invoice_id": text("latest_invoice"),
            "status": text("status"),
            "collection_method": text("collection_method"),
            "days_until_due": at("days_until_due"),
            "is_cancel_at_period_end": at("cancel_at_period_end"),
            "started_at": instant("start_date"),
            "current_period_start_at": instant("current_period_start", "items.data.0.current_period_start"),
            "current_period_end_at": instant("current_period_end", "items.data.0.current_period_end"),
            "trial_start_at": instant("trial_start"),
            "trial_end_at": instant("trial_end"),
            "cancel_at": instant("cancel_at"),
            "canceled_at": instant("canceled_at"),
            "ended_at": instant("ended_at"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "invoices": Staged(
        "invoice",
        {
            "invoice_id": text("id"),
            "customer_id": text("customer"),
            "subscription_id": text("parent.subscription_details.subscription", "subscription"),
            "charge_id": text("charge"),
            "payment_intent_id": text("payment_intent"),
            "orb_invoice_id": text("metadata.orb_invoice_id"),
            "orb_invoice_number": text("metadata.orb_invoice_number"),
            "invoice_number": text("number"),
            "status": text("status"),
            "billing_reason": text("billing_reason"),
            "collection_method": text("collection_method"),
            "attempt_count": at("attempt_count"),
            "subtotal_amount": major("subtotal"),
            "subtotal_excluding_tax_amount": major("subtotal_excluding_tax"),
            "discount_amount": _sum("total_discount_amounts"),
            "shipping_amount": major("amount_shipping"),
            "stated_tax_amount": lambda found: None if found.get("total_taxes") is None else _sum("total_taxes")(found),
            "total_excluding_tax_amount": major("total_excluding_tax"),
            "tax_amount": _tax,
            "total_amount": major("total"),
            "amount_due": major("amount_due"),
            "amount_paid": major("amount_paid"),
            "amount_remaining": major("amount_remaining"),
            "amount_overpaid": major("amount_overpaid"),
            "amount_paid_off_stripe": major("amount_paid_off_stripe"),
            "pre_payment_credit_notes_amount": major("pre_payment_credit_notes_amount"),
            "post_payment_credit_notes_amount": major("post_payment_credit_notes_amount"),
            "starting_balance_amount": major("starting_balance"),
            "ending_balance_amount": major("ending_balance"),
            "is_paid_out_of_band": at("paid_out_of_band"),
            "effective_at": instant("effective_at"),
            "due_at": instant("due_date"),
            "period_start_at": instant("period_start"),
            "period_end_at": instant("period_end"),
            "finalized_at": instant("status_transitions.finalized_at"),
            "paid_at": instant("status_transitions.paid_at"),
            "marked_uncollectible_at": instant("status_transitions.marked_uncollectible_at"),
            "voided_at": instant("status_transitions.voided_at"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "invoice_lines": Staged(
        "line_item",
        {
            "invoice_line_id": text("id"),
            "invoice_id": text("invoice"),
            "invoice_item_id": text(
                "parent.invoice_item_details.invoice_item",
                "parent.subscription_item_details.invoice_item",
                "invoice_item",
            ),
            "subscription_id": text(
                "parent.subscription_item_details.subscription",
                "parent.invoice_item_details.subscription",
                "subscription",
            ),
            "subscription_item_id": text("parent.subscription_item_details.subscription_item", "subscription_item"),
            "price_id": text("pricing.price_details.price", "price.id"),
            "product_id": text("pricing.price_details.product", "price.product"),
            "line_type": text("parent.type", "type"),
            "description": text("description"),
            "quantity": decimal("quantity_decimal", "quantity"),
            "unit_amount": major("pricing.unit_amount_decimal", "unit_amount_excluding_tax"),
            "subtotal_amount": major("subtotal"),
            "tax_amount": _sum("taxes"),
            "amount": major("amount"),
            "is_discountable": at("discountable"),
            "period_start_at": instant("period.start"),
            "period_end_at": instant("period.end"),
            **_CURRENCY,
            **_LIVE,
        },
    ),
    "invoice_payments": Staged(
        "invoice_payment",
        {
            "invoice_payment_id": text("id"),
            "invoice_id": text("invoice"),
            "payment_intent_id": text("payment.payment_intent"),
            "charge_id": text("payment.charge"),
            "payment_record_id": text("payment.payment_record"),
            "payment_type": text("payment.type"),
            "status": text("status"),
            "amount_requested": major("amount_requested"),
            "amount_paid": major("amount_paid"),
            "is_default": at("is_default"),
            "paid_at": instant("status_transitions.paid_at"),
            "canceled_at": instant("status_transitions.canceled_at"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "invoice_items": Staged(
        "invoiceitem",
        {
            "invoice_item_id": text("id"),
            "customer_id": text("customer"),
            "invoice_id": text("invoice"),
            "subscription_id": text("parent.subscription_details.subscription", "subscription"),
            "price_id": text("pricing.price_details.price", "price.id"),
            "product_id": text("pricing.price_details.product", "price.product"),
            "description": text("description"),
            "quantity": decimal("quantity_decimal", "quantity"),
            "unit_amount": major("pricing.unit_amount_decimal", "unit_amount_decimal"),
            "amount": major("amount"),
            "net_amount": major("net_amount"),
            "is_proration": at("proration"),
            "is_discountable": at("discountable"),
            "dated_at": instant("date"),
            "period_start_at": instant("period.start"),
            "period_end_at": instant("period.end"),
            **_CURRENCY,
            **_LIVE,
        },
    ),
    "credit_notes": Staged(
        "credit_note",
        {
            "credit_note_id": text("id"),
            "invoice_id": text("invoice"),
            "customer_id": text("customer"),
            "refund_id": text("refunds.0.refund", "refund"),
            "orb_credit_note_id": text("metadata.orb_credit_note_id"),
            "credit_note_number": text("number"),
            "credit_note_type": text("type"),
            "status": text("status"),
            "reason": text("reason"),
            "memo": text("memo"),
            "refund_count": _count("refunds"),
            "subtotal_amount": major("subtotal"),
            "customer_balance_transaction_id": text("customer_balance_transaction"),
            "subtotal_excluding_tax_amount": major("subtotal_excluding_tax"),
            "shipping_amount": major("amount_shipping"),
            "stated_tax_amount": lambda found: None if found.get("total_taxes") is None else _sum("total_taxes")(found),
            "discount_amount": major("discount_amount"),
            "total_excluding_tax_amount": major("total_excluding_tax"),
            "tax_amount": _tax,
            "total_amount": major("total"),
            "amount": major("amount"),
            "pre_payment_amount": major("pre_payment_amount"),
            "post_payment_amount": major("post_payment_amount"),
            "out_of_band_amount": major("out_of_band_amount"),
            "effective_at": instant("effective_at"),
            "voided_at": instant("voided_at"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "charges": Staged(
        "charge",
        {
            "charge_id": text("id"),
            "customer_id": text("customer"),
            "payment_intent_id": text("payment_intent"),
            "invoice_id": text("invoice"),
            "balance_transaction_id": text("balance_transaction"),
            "failure_balance_transaction_id": text("failure_balance_transaction"),
            "status": text("status"),
            "payment_method_type": text("payment_method_details.type"),
            "description": text("description"),
            "failure_code": text("failure_code"),
            "amount": major("amount"),
            "amount_captured": major("amount_captured"),
            "amount_refunded": major("amount_refunded"),
            "is_paid": at("paid"),
            "is_captured": at("captured"),
            "is_refunded": at("refunded"),
            "is_disputed": at("disputed"),
            **_METADATA,
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "payment_intents": Staged(
        "payment_intent",
        {
            "payment_intent_id": text("id"),
            "customer_id": text("customer"),
            "invoice_id": text("invoice"),
            "latest_charge_id": text("latest_charge"),
            "status": text("status"),
            "capture_method": text("capture_method"),
            "cancellation_reason": text("cancellation_reason"),
            "description": text("description"),
            "amount": major("amount"),
            "amount_received": major("amount_received"),
            "amount_capturable": major("amount_capturable"),
            "canceled_at": instant("canceled_at"),
            **_METADATA,
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "refunds": Staged(
        "refund",
        {
            "refund_id": text("id"),
            "charge_id": text("charge"),
            "payment_intent_id": text("payment_intent"),
            "balance_transaction_id": text("balance_transaction"),
            "failure_balance_transaction_id": text("failure_balance_transaction"),
            "status": text("status"),
            "reason": text("reason"),
            "failure_reason": text("failure_reason"),
            "amount": major("amount"),
            **_CURRENCY,
            **_CREATED,
        },
    ),
    "disputes": Staged(
        "dispute",
        {
            "dispute_id": text("id"),
            "charge_id": text("charge"),
            "payment_intent_id": text("payment_intent"),
            "status": text("status"),
            "reason": text("reason"),
            "network_reason_code": text("payment_method_details.card.network_reason_code"),
            "amount": major("amount"),
            "settlement_currency": upper("balance_transactions.0.currency"),
            "booked_gross_amount": _sum("balance_transactions", "amount", "balance_transactions.0.currency"),
            "booked_fee_amount": _sum("balance_transactions", "fee", "balance_transactions.0.currency"),
            "booked_net_amount": _sum("balance_transactions", "net", "balance_transactions.0.currency"),
            "is_charge_refundable": at("is_charge_refundable"),
            "evidence_due_at": instant("evidence_details.due_by"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "balance_transactions": Staged(
        "balance_transaction",
        {
            "balance_transaction_id": text("id"),
            "balance_type": text("balance_type"),
            "description": text("description"),
            "exchange_rate": decimal("exchange_rate"),
            "listed_fee_amount": _sum("fee_details"),
            "fee_count": _count("fee_details"),
            "fee_currency": upper("fee_details.0.currency"),
            **_TRANSACTION,
        },
    ),
    "payouts": Staged(
        "payout",
        {
            "payout_id": text("id"),
            "balance_transaction_id": text("balance_transaction"),
            "failure_balance_transaction_id": text("failure_balance_transaction"),
            "destination_id": text("destination"),
            "original_payout_id": text("original_payout"),
            "reversed_by_payout_id": text("reversed_by"),
            "trace_id": text("trace_id.value"),
            "trace_status": text("trace_id.status"),
            "status": text("status"),
            "payout_type": text("type"),
            "method": text("method"),
            "source_type": text("source_type"),
            "reconciliation_status": text("reconciliation_status"),
            "description": text("description"),
            "statement_descriptor": text("statement_descriptor"),
            "failure_code": text("failure_code"),
            "failure_message": text("failure_message"),
            "amount": major("amount"),
            "is_automatic": at("automatic"),
            "arrival_date": _day("arrival_date"),
            "arrival_at": instant("arrival_date"),
            **_CURRENCY,
            **_LIVE,
            **_CREATED,
        },
    ),
    "payout_transactions": Staged(
        "balance_transaction",
        {
            "payout_transaction_id": lambda found: f"{FIXTURE_PAYOUT}/{found['id']}",
            "payout_id": lambda found: FIXTURE_PAYOUT,
            "balance_transaction_id": text("id"),
            **_TRANSACTION,
        },
        key=lambda found: f"{FIXTURE_PAYOUT}/{found['id']}",
    ),
    "events": Staged(
        "event",
        {
            "event_id": text("id"),
            "subject_id": text("data.object.id"),
            "request_id": text("request.id"),
            "idempotency_key": text("request.idempotency_key"),
            "event_type": text("type"),
            "subject_type": text("data.object.object"),
            "api_version": text("api_version"),
            "pending_webhooks": at("pending_webhooks"),
            **_LIVE,
            **_CREATED,
        },
    ),
}
