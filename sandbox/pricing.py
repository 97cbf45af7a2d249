"""Rating: what a quantity costs under a price and a contract's terms, exactly. Configurations are Orb's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

MINOR_DIGITS = {"USD": 2, "EUR": 2, "JPY": 0}


@dataclass(frozen=True)
class Terms:
    """What a contract takes off one line: units, an amount, percent (each of what is left), and the most it may come to."""

    usage_discount: Decimal = Decimal(0)
    amount_discount: Decimal = Decimal(0)
    percentage_discounts: tuple[Decimal, ...] = ()
    maximum: Decimal | None = None


def rate(
    model_type: str,
    config: Mapping[str, Any],
    quantity: Decimal,
    by_model: Mapping[str, Decimal],
    days: tuple[int, int] = (1, 1),
) -> Decimal:
    """The unrounded amount in major units. `by_model` splits the quantity for matrix prices.

    Lower bounds of tiers are exclusive, upper bounds inclusive.
    unit: quantity x amount. package: begun packages; with an allocation only what exceeds it is packed.
    tiered: each unit at the amount of the tier it falls in. tiered_package: the same for begun packages.
    bulk: all units at the amount of the tier that the total falls in. matrix: units of each model at that model's amount.
    threshold_total_amount: the total of the last threshold passed. percent: of the quantity, which is then an amount of
    money, within its minimum and maximum. A price that is prorated costs `days[0]` of `days[1]` parts.
    """
    part, whole = days if config.get("prorated") else (1, 1)
    match model_type:
        case "unit":
            return quantity * Decimal(config["unit_amount"]) * part / whole
        case "package":
            return Decimal(config["package_amount"]) * _begun(quantity, Decimal(config["package_size"]))
        case "package_with_allocation":
            beyond = max(quantity - Decimal(config["allocation"]), Decimal(0))
            return Decimal(config["package_amount"]) * _begun(beyond, Decimal(config["package_size"]))
        case "tiered":
            return _graduated(
                quantity, [(Decimal(t["first_unit"]), Decimal(t["unit_amount"])) for t in config["tiers"]]
            )
        case "tiered_package":
            size = Decimal(config["package_size"])
            packages = [(Decimal(t["tier_lower_bound"]) / size, Decimal(t["per_unit"])) for t in config["tiers"]]
            return _graduated(_begun(quantity, size), packages)
        case "bulk":
            tiers = config["tiers"]
            tier = next(t for t in tiers if t["maximum_units"] is None or quantity <= t["maximum_units"])
            return quantity * Decimal(tier["unit_amount"])
        case "matrix":
            amounts = {value["dimension_values"][0]: value["unit_amount"] for value in config["matrix_values"]}
            default = config["default_unit_amount"]
            return sum((q * Decimal(amounts.get(model, default)) for model, q in by_model.items()), Decimal(0))
        case "threshold_total_amount":
            passed = [
                row["total_amount"] for row in config["consumption_table"] if quantity > Decimal(row["threshold"])
            ]
            return Decimal(passed[-1] if passed else 0)
        case "percent":
            amount = quantity * Decimal(config["percent"])
            least, most = config.get("minimum_amount"), config.get("maximum_amount")
            amount = max(amount, Decimal(least or 0) * part / whole)
            return amount if most is None else min(amount, Decimal(most))
    raise ValueError(f"price model {model_type!r} cannot be rated: add it to sandbox/pricing.py")


def _begun(quantity: Decimal, size: Decimal) -> Decimal:
    return (quantity / size).to_integral_value(ROUND_CEILING)


def _graduated(quantity: Decimal, tiers: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """`tiers`: lower bound and amount of each unit above it, up to the next tier's bound."""
    amount, unrated = Decimal(0), quantity
    for above, unit_amount in reversed(tiers):
        amount += max(unrated - above, Decimal(0)) * unit_amount
        unrated = min(unrated, above)
    return amount


def adjustments(gross: int, discounted: int, terms: Terms, currency: str) -> tuple[tuple[str, int], ...]:
    """What the terms take off a line in Orb's order, in minor units: (adjustment type, amount), only what is not zero.

    `gross` is the line before adjustments, `discounted` the line rated without the units of the usage discount.
    """
    taken = [("usage_discount", gross - discounted)]
    left = discounted
    taken.append(("amount_discount", min(left, to_minor(terms.amount_discount, currency))))
    left -= taken[-1][1]
    for percent in terms.percentage_discounts:
        taken.append(("percentage_discount", percent_of(left, percent)))
        left -= taken[-1][1]
    if terms.maximum is not None:
        taken.append(("maximum", max(left - to_minor(terms.maximum, currency), 0)))
    return tuple((kind, amount) for kind, amount in taken if amount)


def to_minor(amount: Decimal, currency: str) -> int:
    """Major units to minor units, halves away from zero."""
    return int((amount * 10 ** MINOR_DIGITS[currency]).to_integral_value(ROUND_HALF_UP))


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units to major units, with the currency's digits."""
    return Decimal(minor).scaleb(-MINOR_DIGITS[currency])


def percent_of(minor: int, percent: Decimal) -> int:
    """A percentage of an amount in minor units, halves away from zero."""
    return int((minor * percent / 100).to_integral_value(ROUND_HALF_UP))
