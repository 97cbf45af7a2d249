"""Rating by hand: each price model at, below and above its boundaries."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sandbox.pricing import Terms, adjustments, percent_of, rate, to_major, to_minor

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
ALLOWANCE = {"package_amount": "15", "package_size": "1000", "allocation": "500"}
TIERED_PACKAGE = {
    "package_size": "10",
    "tiers": [{"tier_lower_bound": "0", "per_unit": "5"}, {"tier_lower_bound": "100", "per_unit": "4"}],
}
THRESHOLD = {
    "consumption_table": [{"threshold": "0", "total_amount": "20"}, {"threshold": "100", "total_amount": "35"}],
}
# Worked examples of Orb's documentation: price configuration, invoice calculation examples, and its API document.
ORB_TIERED = {
    "tiers": [
        {"first_unit": 0, "last_unit": 10_000, "unit_amount": "0.001"},
        {"first_unit": 10_000, "last_unit": 100_000, "unit_amount": "0.0008"},
        {"first_unit": 100_000, "last_unit": None, "unit_amount": "0.0005"},
    ]
}
ORB_BULK = {
    "tiers": [{"maximum_units": 10, "unit_amount": "0.50"}, {"maximum_units": 1000, "unit_amount": "0.40"}],
}
ORB_PACKAGE = {"package_amount": "0.80", "package_size": 10}
ORB_PERCENT = {"percent": Decimal("0.08"), "minimum_amount": "5000", "maximum_amount": "50000"}


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
        ("package_with_allocation", ALLOWANCE, "500", "0"),
        ("package_with_allocation", ALLOWANCE, "1500", "15"),
        ("package_with_allocation", ALLOWANCE, "1500.1", "30"),
        ("tiered_package", TIERED_PACKAGE, "95", "50"),
        ("tiered_package", TIERED_PACKAGE, "101", "54"),
        ("threshold_total_amount", THRESHOLD, "0", "0"),
        ("threshold_total_amount", THRESHOLD, "100", "20"),
        ("threshold_total_amount", THRESHOLD, "100.000001", "35"),
        ("tiered", ORB_TIERED, "150000", "107"),
        ("bulk", ORB_BULK, "101", "40.4"),
        ("package", ORB_PACKAGE, "4", "0.8"),
        ("package", ORB_PACKAGE, "11", "1.6"),
        ("unit", {"unit_amount": "0.50"}, "7", "3.5"),
        ("percent", ORB_PERCENT, "0", "5000"),
        ("percent", ORB_PERCENT, "50000", "5000"),
        ("percent", ORB_PERCENT, "100000", "8000"),
        ("percent", ORB_PERCENT, "1000000", "50000"),
    ],
)
def test_amount_is_exact(model: str, config: dict[str, Any], quantity: str, amount: str) -> None:
    assert rate(model, config, Decimal(quantity), {}) == Decimal(amount)


def test_matrix_rates_each_model_and_others_at_the_default() -> None:
    config = {"default_unit_amount": "0.08", "matrix_values": [{"dimension_values": ["a"], "unit_amount": "0.05"}]}
    by_model = {"a": Decimal(10), "b": Decimal(1)}
    assert rate("matrix", config, Decimal(11), by_model) == Decimal("0.58")


def test_unknown_model_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'cumulative_grouped_bulk'"):
        rate("cumulative_grouped_bulk", {}, Decimal(1), {})


def test_a_prorated_price_costs_the_part_of_its_days() -> None:
    fee = {"unit_amount": "500", "prorated": True}
    assert to_minor(rate("unit", fee, Decimal(1), {}, (20, 31)), "USD") == 322_58
    assert rate("unit", {"unit_amount": "500"}, Decimal(1), {}, (20, 31)) == 500


def test_adjustments_come_in_orbs_order() -> None:
    terms = Terms(Decimal(10), Decimal(10), (Decimal("12.5"),), Decimal(60))
    assert adjustments(100_01, 90_00, terms, "USD") == (
        ("usage_discount", 10_01),
        ("amount_discount", 10_00),
        ("percentage_discount", 10_00),
        ("maximum", 10_00),
    )
    assert adjustments(3_00, 3_00, Terms(amount_discount=Decimal(5)), "USD") == (("amount_discount", 3_00),)


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
