"""The product's own Postgres: seven tables, typed as the database declares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sandbox.billing import WalletTransaction
from sandbox.calendar import DAY, HOUR, instant
from sandbox.catalogue import CURRENCIES, EVENT_NAMES, METERED, MODELS, Adjustment, Price, fee_prices, list_prices
from sandbox.company import Customer
from sandbox.finance import PUBLISHER, ReferenceRate, ServingCost, reference_rates, serving_costs
from sandbox.pricing import to_major
from sandbox.usage import MICRO, Ints
from sandbox.views import Object
from sandbox.world import World

_INSTANT = pa.timestamp("us", tz="UTC")
_MONEY = pa.decimal128(38, 9)
_QUANTITY = pa.decimal128(18, 6)
_PERCENT = pa.decimal128(9, 6)
_RATE = pa.decimal128(38, 18)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

CUSTOMERS = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("email", pa.string()),
        ("country", pa.string()),
        ("currency", pa.string()),
        ("billing_model", pa.string()),
        ("account_type", pa.string()),
        ("orb_customer_id", pa.string()),
        ("stripe_customer_id", pa.string()),
        ("created_at", _INSTANT),
        ("updated_at", _INSTANT),
        ("deleted_at", _INSTANT),
    ]
)
PRICE_BOOK = pa.schema(
    [
        ("id", pa.string()),
        ("product_code", pa.string()),
        ("product_name", pa.string()),
        ("metric_code", pa.string()),
        ("unit", pa.string()),
        ("price_model", pa.string()),
        ("currency", pa.string()),
        ("config", pa.string()),
        ("orb_price_id", pa.string()),
        ("effective_from", pa.date32()),
        ("effective_to", pa.date32()),
        ("updated_at", _INSTANT),
    ]
)
CONTRACTS = pa.schema(
    [
        ("id", pa.string()),
        ("customer_id", pa.string()),
        ("currency", pa.string()),
        ("start_date", pa.date32()),
        ("end_date", pa.date32()),
        ("monthly_commitment", _MONEY),
        ("discount_percent", _PERCENT),
        ("tax_percent", _PERCENT),
        ("net_terms_days", pa.int32()),
        ("price_overrides", pa.string()),
        ("adjustments", pa.string()),
        ("orb_subscription_id", pa.string()),
        ("created_at", _INSTANT),
        ("updated_at", _INSTANT),
    ]
)
WALLET_TRANSACTIONS = pa.schema(
    [
        ("id", pa.string()),
        ("customer_id", pa.string()),
        ("kind", pa.string()),
        ("amount", _MONEY),
        ("currency", pa.string()),
        ("stripe_payment_intent_id", pa.string()),
        ("occurred_at", _INSTANT),
        ("recorded_at", _INSTANT),
    ]
)
EXCHANGE_RATES = pa.schema(
    [
        ("id", pa.string()),
        ("currency", pa.string()),
        ("quote_currency", pa.string()),
        ("rate", _RATE),
        ("publisher", pa.string()),
        ("published_on", pa.date32()),
        ("updated_at", _INSTANT),
    ]
)
SERVING_COSTS = pa.schema(
    [
        ("id", pa.string()),
        ("product_code", pa.string()),
        ("model", pa.string()),
        ("unit_cost", _RATE),
        ("currency", pa.string()),
        ("effective_from", pa.date32()),
        ("effective_to", pa.date32()),
        ("updated_at", _INSTANT),
    ]
)


def build(world: World) -> dict[str, list[Object]]:
    """The rows of every table but `usage_events`, by table."""
    return {
        "customers": [_customer(customer) for customer in world.company],
        "price_book": _price_book(world),
        "contracts": [_contract(customer) for customer in world.company if customer.contract],
        "wallet_transactions": _wallet_transactions(world),
        "exchange_rates": [_exchange_rate(rate) for rate in reference_rates(world.keys, world.calendar)],
        "serving_costs": [_serving_cost(cost) for cost in serving_costs(world.keys, world.calendar)],
    }


def tables(world: World, rows: Mapping[str, list[Object]]) -> dict[str, pa.Table]:
    """The seven tables, by name: `rows` as the database types them, and the usage events."""
    schemas = {
        "customers": CUSTOMERS,
        "price_book": PRICE_BOOK,
        "contracts": CONTRACTS,
        "wallet_transactions": WALLET_TRANSACTIONS,
        "exchange_rates": EXCHANGE_RATES,
        "serving_costs": SERVING_COSTS,
    }
    typed = {name: pa.Table.from_pylist(rows[name], schema) for name, schema in schemas.items()}
    return {**typed, "usage_events": _usage_events(world)}


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _customer(customer: Customer) -> Object:
    deleted_at = _at(instant(customer.end)) if customer.end else None
    return {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "country": customer.country,
        "currency": customer.currency,
        "billing_model": customer.billing_model,
        "account_type": customer.account_type,
        "orb_customer_id": customer.orb_customer_id,
        "stripe_customer_id": customer.stripe_customer_id,
        "created_at": _at(customer.created_at),
        "updated_at": deleted_at or _at(customer.created_at + 45),
        "deleted_at": deleted_at,
    }


def _price_book(world: World) -> list[Object]:
    since = instant(world.calendar.first_day) - 150 * DAY
    return [
        {
            "id": f"price_book_{price.external_id}",
            "product_code": price.product.code,
            "product_name": price.product.name,
            "metric_code": price.product.metric,
            "unit": price.product.unit,
            "price_model": price.model_type,
            "currency": currency,
            "config": _json(price.config),
            "orb_price_id": price.id,
            "effective_from": date(2026, 1, 1),
            "effective_to": None,
            "updated_at": _at(since),
        }
        for currency in CURRENCIES
        for price in (*list_prices(world.keys, currency).values(), *fee_prices(world.keys, currency))
    ]


def _contract(customer: Customer) -> Object:
    contract = customer.contract
    assert contract is not None
    return {
        "id": contract.id,
        "customer_id": customer.id,
        "currency": customer.currency,
        "start_date": customer.start,
        "end_date": None,
        "monthly_commitment": contract.monthly_commitment.quantize(Decimal("1e-9")),
        "discount_percent": contract.discount_percent.quantize(Decimal("1e-6")),
        "tax_percent": customer.tax_percent.quantize(Decimal("1e-6")),
        "net_terms_days": contract.net_terms_days,
        "price_overrides": _json(
            {price.product.code: _override(price) for price in customer.prices.values() if price.purpose != "minimum"}
        ),
        "adjustments": _json([_adjustment(adjustment) for adjustment in contract.adjustments]),
        "orb_subscription_id": customer.orb_subscription_id,
        "created_at": _at(contract.created_at),
        "updated_at": _at(contract.created_at),
    }


def _override(price: Price) -> Object:
    """What is agreed of a price; how it is billed only where that is not by the month and when the month is over."""
    cycle = price.cycle
    billed: Object = {"billing_mode": "in_advance"} if cycle.is_in_advance else {}
    if cycle.months != 1:
        billed["billing_cycle_months"] = cycle.months
    return {"price_model": price.model_type, "config": price.config, "orb_price_id": price.id, **billed}


def _adjustment(adjustment: Adjustment) -> dict[str, Any]:
    return {
        "adjustment_type": adjustment.kind,
        "product_code": adjustment.product.code,
        "value": adjustment.value,
        "start_date": adjustment.start.isoformat(),
        "end_date": adjustment.end.isoformat() if adjustment.end else None,
    }


def _json(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def _wallet_transactions(world: World) -> list[Object]:
    rows = [
        (row.at, customer, row)
        for customer in world.company
        if customer.id in world.wallets
        for row in world.wallets[customer.id].transactions
    ]
    return [_wallet_row(world, customer, row) for _, customer, row in sorted(rows, key=lambda r: (r[0], r[2].id))]


def _wallet_row(world: World, customer: Customer, row: WalletTransaction) -> Object:
    return {
        "id": row.id,
        "customer_id": customer.id,
        "kind": row.kind,
        "amount": to_major(row.amount, customer.currency).quantize(Decimal("1e-9")),
        "currency": customer.currency,
        "stripe_payment_intent_id": world.keys.id("pi_3", row.top_up_id, 23) if row.top_up_id else None,
        "occurred_at": _at(row.at),
        "recorded_at": _at(row.at + 3),
    }


def _exchange_rate(rate: ReferenceRate) -> Object:
    return {
        "id": f"{rate.currency.lower()}_usd_{rate.published_on}",
        "currency": rate.currency,
        "quote_currency": "USD",
        "rate": rate.rate.quantize(Decimal("1e-18")),
        "publisher": PUBLISHER,
        "published_on": rate.published_on,
        "updated_at": _at(instant(rate.published_on) + 21 * HOUR),
    }


def _serving_cost(cost: ServingCost) -> Object:
    return {
        "id": f"{cost.product_code}/{cost.model or 'any'}/{cost.effective_from}",
        "product_code": cost.product_code,
        "model": cost.model,
        "unit_cost": cost.unit_cost.quantize(Decimal("1e-18")),
        "currency": cost.currency,
        "effective_from": cost.effective_from,
        "effective_to": cost.effective_to,
        "updated_at": _at(instant(cost.effective_from)),
    }


def _usage_events(world: World) -> pa.Table:
    """One row an event in the order of recording; columns that do not apply to an event are null."""
    events = world.events
    columns: dict[str, Any] = {
        "event_id": pa.array(events.ids),
        "customer_id": _labels([customer.id for customer in world.company], events.customer),
        "event_name": _labels(list(EVENT_NAMES), events.name),
        "model": _labels(
            [model for event_name in EVENT_NAMES for model in MODELS[event_name]],
            np.cumsum([0, *(len(MODELS[event_name]) for event_name in EVENT_NAMES)])[events.name] + events.model,
        ),
    }
    for product in METERED:
        if product.column:
            applies = events.rows_of(product.event_name)
            build_column = _integers if product.unit == "token" else _decimals
            columns[product.column] = build_column(events.quantities[product.code], applies)
    columns["occurred_at"] = pa.array(events.occurred_us).cast(_INSTANT)
    columns["recorded_at"] = pa.array(events.recorded_us).cast(_INSTANT)
    return pa.table(columns)


def _labels(names: list[str], index: Ints) -> pa.Array:
    return pa.array(names).take(pa.array(index))


def _integers(micro: Ints, applies: NDArray[np.bool_]) -> pa.Array:
    return pa.array(micro // MICRO, mask=~applies)


def _decimals(micro: Ints, applies: NDArray[np.bool_]) -> pa.Array:
    """Millionths reinterpreted as numeric(18, 6): no value passes through a float."""
    words = np.stack([micro, micro >> 63], axis=1)
    values = pa.Array.from_buffers(_QUANTITY, len(micro), [None, pa.py_buffer(np.ascontiguousarray(words))])
    empty = pa.nulls(len(micro), _QUANTITY)
    choose: Callable[..., pa.Array] = pa.compute.if_else
    return choose(pa.array(applies), values, empty)
