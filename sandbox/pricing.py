"""Rating: what a quantity costs under a price, exactly. Configurations are shaped as Orb's API gives them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any

MINOR_DIGITS = {"USD": 2, "EUR": 2, "JPY": 0}


def rate(model_type: str, config: Mapping[str, Any], quantity: Decimal, by_model: Mapping[str, Decimal]) -> Decimal:
    """The unrounded amount in major units. `by_model` splits the quantity for matrix prices.

    unit: quantity x amount. package: begun packages. tiered: each unit at the amount of the tier it falls in
    (first_unit exclusive, last_unit inclusive). bulk: all units at the amount of the tier that the total falls in.
    matrix: units of each model at that model's amount.
    """
    match model_type:
        case "unit":
            return quantity * Decimal(config["unit_amount"])
        case "package":
            packages = (quantity / Decimal(config["package_size"])).to_integral_value(ROUND_CEILING)
            return Decimal(config["package_amount"]) * packages
        case "tiered":
            amount = Decimal(0)
            for tier in config["tiers"]:
                reached = quantity if tier["last_unit"] is None else min(quantity, Decimal(tier["last_unit"]))
                amount += max(reached - tier["first_unit"], Decimal(0)) * Decimal(tier["unit_amount"])
            return amount
        case "bulk":
            tiers = config["tiers"]
            tier = next(t for t in tiers if t["maximum_units"] is None or quantity <= t["maximum_units"])
            return quantity * Decimal(tier["unit_amount"])
        case "matrix":
            amounts = {value["dimension_values"][0]: value["unit_amount"] for value in config["matrix_values"]}
            default = config["default_unit_amount"]
            return sum((q * Decimal(amounts.get(model, default)) for model, q in by_model.items()), Decimal(0))
    raise ValueError(f"price model {model_type!r} is not one of unit, package, tiered, bulk, matrix")


def to_minor(amount: Decimal, currency: str) -> int:
    """Major units to minor units, halves away from zero."""
    return int((amount * 10 ** MINOR_DIGITS[currency]).to_integral_value(ROUND_HALF_UP))


def to_major(minor: int, currency: str) -> Decimal:
    """Minor units to major units, with the currency's digits."""
    return Decimal(minor).scaleb(-MINOR_DIGITS[currency])


def percent_of(minor: int, percent: Decimal) -> int:
    """A percentage of an amount in minor units, halves away from zero."""
    return int((minor * percent / 100).to_integral_value(ROUND_HALF_UP))
