"""Who the company sells to: customers, their contracts, staff and test tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from sandbox.calendar import DAY, HOUR, Calendar, add_months, instant
from sandbox.catalogue import (
    CURRENCIES,
    EVENT_NAMES,
    METERED,
    Adjustment,
    Price,
    Product,
    contract_adjustments,
    contract_prices,
    list_prices,
    money,
)
from sandbox.keyed import Keys
from sandbox.pricing import Terms

_COUNTRIES = {
    "USD": (("US", "0"), ("US", "8.875"), ("US", "6.25")),
    "EUR": (("DE", "19"), ("FR", "20"), ("NL", "21"), ("IE", "23")),
    "JPY": (("JP", "10"),),
}
_FIRST_NAMES = ("Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper")
_LAST_NAMES = ("Labs", "Robotics", "Studios", "Health", "Analytics", "Games", "Logistics", "Media", "Systems", "Works")
_DISCOUNTS = ("10", "0", "15", "5", "12.5", "20")
_FEES_USD = ("500", "250", "1000")
_DOLLARS_AN_EVENT = Decimal("0.5")


@dataclass(frozen=True)
class Contract:
    """`discount_percent` lowers usage lines, `monthly_commitment` is the least that adjusted usage may come to.

    The commitment holds in full for every month begun; `adjustments` are of single products.
    """

    id: str
    monthly_commitment: Decimal
    discount_percent: Decimal
    adjustments: tuple[Adjustment, ...]
    net_terms_days: int
    created_at: int

    def terms(self, product: Product, day: date) -> Terms:
        """What is taken off a usage line of a product whose service begins on a day."""
        values = {
            adjustment.kind: adjustment.value
            for adjustment in self.adjustments
            if adjustment.product == product
            and adjustment.start <= day
            and (adjustment.end is None or day < adjustment.end)
        }
        return Terms(percentage_discounts=(self.discount_percent,), **values)


@dataclass(frozen=True)
class Customer:
    """`position` is the row in every usage array. `mix` weighs the four event names. `end` is set once churned."""

    position: int
    id: str
    name: str
    email: str
    country: str
    currency: str
    billing_model: str
    account_type: str
    tax_percent: Decimal
    trace: str
    weight: float
    mix: tuple[float, ...]
    created_at: int
    start: date
    end: date | None
    orb_customer_id: str
    stripe_customer_id: str
    orb_subscription_id: str
    prices: dict[str, Price]
    contract: Contract | None

    @property
    def is_internal(self) -> bool:
        return self.account_type != "customer"


def build(keys: Keys, calendar: Calendar, customers: int, events: int) -> list[Customer]:
    """All tenants. The first six paying ones cover both billing models in every currency, whatever the size.

    ValueError: fewer than 10 customers cannot hold that and the internal and test tenants.
    """
    if customers < 10:
        raise ValueError(f"customers is {customers}: a world with every billing model and currency needs at least 10")
    rng = keys.rng("company")
    tenants = 1 if customers < 30 else 2
    paying = customers - 2 * tenants
    weights = rng.lognormal(0.0, 0.9, customers)
    lists = {currency: list_prices(keys, currency) for currency in CURRENCIES}
    kinds = [_kind(number, paying, tenants) for number in range(customers)]
    weights = np.array([_weight(float(w), *kind) for w, kind in zip(weights, kinds, strict=True)])
    monthly_events = events * weights / weights.sum() / calendar.months
    built = []
    for number, (currency, billing_model, account_type) in enumerate(kinds):
        customer_id = f"acct_{number + 1:04d}"
        start, end = _life(number, account_type, calendar)
        country, tax = _COUNTRIES[currency][number % len(_COUNTRIES[currency])]
        before = int(rng.integers(20, 400)) * DAY if start == calendar.first_day else HOUR
        created_at = instant(start) - before - int(rng.integers(0, DAY - HOUR) if before > HOUR else 0)
        share = Decimal(int(rng.integers(50, 140))) / 100 if billing_model == "contract" else Decimal(0)
        mix = tuple(float(weight) for weight in rng.dirichlet((6.0, 2.0, 1.0, 1.0)))
        contract, prices = None, lists[currency]
        if billing_model == "contract":
            contract_id = f"contract_{number + 1:04d}"
            month = {
                product.code: Decimal(int(monthly_events[number] * mix[EVENT_NAMES.index(product.event_name)]) + 1)
                * product.usual
                for product in METERED
            }
            fee = _FEES_USD[number % len(_FEES_USD)]
            prices = contract_prices(keys, contract_id, number, currency, fee, month)
            expected = Decimal(int(monthly_events[number])) * _DOLLARS_AN_EVENT
            contract = Contract(
                id=contract_id,
                monthly_commitment=max(money("100", currency), money("50", currency) * round(expected * share / 50)),
                discount_percent=Decimal(_DISCOUNTS[number % len(_DISCOUNTS)]),
                adjustments=contract_adjustments(number, currency, prices, month, start),
                net_terms_days=30,
                created_at=created_at + HOUR // 2,
            )
        name = _name(number, account_type)
        built.append(
            Customer(
                position=number,
                id=customer_id,
                name=name,
                email=f"billing@{name.lower().replace(' ', '-')}.example",
                country=country,
                currency=currency,
                billing_model=billing_model,
                account_type=account_type,
                tax_percent=Decimal(tax),
                trace=("conv", "code")[number % 2],
                weight=float(weights[number]),
                mix=mix,
                created_at=created_at,
                start=start,
                end=end,
                orb_customer_id=keys.id("", f"orb customer/{customer_id}", 16),
                stripe_customer_id=keys.id("cus_", customer_id, 14),
                orb_subscription_id=keys.id("", f"orb subscription/{customer_id}", 16),
                prices=prices,
                contract=contract,
            )
        )
    return built


def _kind(number: int, paying: int, tenants: int) -> tuple[str, str, str]:
    if number >= paying + tenants:
        return CURRENCIES[(number + 1) % 2], "prepaid", "test"
    if number >= paying:
        return CURRENCIES[number % 2], "prepaid", "internal"
    if number < 6:
        return CURRENCIES[number % 3], "prepaid" if number < 3 else "contract", "customer"
    currency = {"U": "USD", "E": "EUR", "J": "JPY"}["UUEUJEUEUJ"[number * 7 % 10]]
    return currency, "contract" if number % 5 in (1, 3) else "prepaid", "customer"


def _weight(drawn: float, currency: str, billing_model: str, account_type: str) -> float:
    if account_type != "customer":
        return 0.3
    return max(drawn, 0.3) * (2.0 if billing_model == "contract" else 1.0)


def _life(number: int, account_type: str, calendar: Calendar) -> tuple[date, date | None]:
    """Some customers come in the middle of a month, one leaves at the end of the second."""
    first = calendar.first_day
    if number in (4, 8):
        return first + timedelta(days=number + 5), None
    if account_type == "customer" and number == 20 and calendar.months > 2:
        return first, add_months(first, 2)
    if account_type == "customer" and number >= 10 and number % 6 == 5 and calendar.months > 1:
        return add_months(first, 1) + timedelta(days=11), None
    return first, None


def _name(number: int, account_type: str) -> str:
    if account_type != "customer":
        return f"{'Staff playground' if account_type == 'internal' else 'Test tenant'} {number + 1}"
    series = number // (len(_FIRST_NAMES) * len(_LAST_NAMES))
    suffix = f" {series + 1}" if series else ""
    return f"{_FIRST_NAMES[number % 10]} {_LAST_NAMES[number // 10 % 10 - number % 10]}{suffix}"
