"""Rating by hand: each price model at, below and above its boundaries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sandbox.pricing import percent_of, rate, to_major, to_minor

TIERED = {
    "tiers": [
        {"first_unit": 0, "last_unit": 100, "unit_amount": "0.5"},
        {"first_unit": 100, "last_unit": None, "unit_amount": "0.4"},
    ]
}
BULK = {
    "tiers": [{"maximum_units": 100, "unit_amount": "0.5"}, {"maximum_units": None, "unit_amount": "0.4"}],
}
PACKAGE = {"package_amount": "15", "package_size": 1000}


@pytest.mark.parametrize(
    ("model", "config", "quantity", "amount"),
    [
        ("unit", {"unit_amount": "0.00125"}, "3.000001", "0.00375000125"),
        ("package", PACKAGE, "0", "0"),
        ("package", PACKAGE, "1000", "15"),
        ("package", PACKAGE, "1000.000001", "30"),
        ("tiered", TIERED, "100", "50"),
        ("tiered", TIERED, "100.5", "50.2"),
        ("bulk", BULK, "100", "50"),
        ("bulk", BULK, "100.5", "40.2"),
    ],
)
def test_amount_is_exact(model: str, config: dict[str, Any], quantity: str, amount: str) -> None:
    assert rate(model, config, Decimal(quantity), {}) == Decimal(amount)


def test_matrix_rates_each_model_and_others_at_the_default() -> None:
    config = {"default_unit_amount": "0.08", "matrix_values": [{"dimension_values": ["a"], "unit_amount": "0.05"}]}
    by_model = {"a": Decimal(10), "b": Decimal(1)}
    assert rate("matrix", config, Decimal(11), by_model) == Decimal("0.58")


def test_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'threshold'"):
        rate("threshold", {}, Decimal(1), {})


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("1.005", "USD", 101), ("-1.005", "USD", -101), ("0.5", "JPY", 1), ("1.4", "JPY", 1)],
)
def test_halves_round_away_from_zero_to_the_currencys_digits(amount: str, currency: str, minor: int) -> None:
    assert to_minor(Decimal(amount), currency) == minor


def test_major_units_carry_the_currencys_digits() -> None:
    assert (str(to_major(12300, "USD")), str(to_major(123, "JPY"))) == ("123.00", "123")


def test_percentages_round_halves_away_from_zero() -> None:
    assert percent_of(1010, Decimal("12.5")) == 126
    assert percent_of(1020, Decimal("12.5")) == 128
