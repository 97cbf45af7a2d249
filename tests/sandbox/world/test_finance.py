"""Reference rates are near Stripe's own and never the same; the rate card has a cost for all that is metered."""

from __future__ import annotations

from decimal import Decimal

from sandbox.catalogue import METERED, MODELS
from tests.sandbox.world.conftest import Dataset


def test_rates_are_published_on_every_weekday_and_on_no_other(tiny: Dataset) -> None:
    published = [(row["currency"], row["published_on"]) for row in tiny.table("exchange_rates").to_pylist()]
    assert len(published) == len(set(published))
    days = sorted({day for _, day in published})
    weekdays = [day for day in range((days[-1] - days[0]).days + 1) if (days[0].weekday() + day) % 7 < 5]
    assert [(day - days[0]).days for day in days] == weekdays
    assert set(published) == {(currency, day) for currency in ("EUR", "JPY") for day in days}


def test_no_conversion_of_stripe_is_at_the_reference_rate_and_none_is_far_from_it(any_world: Dataset) -> None:
    euros = [row["rate"] for row in any_world.table("exchange_rates").to_pylist() if row["currency"] == "EUR"]
    converted = [
        found["exchange_rate"] for found in any_world.objects("stripe/balance_transactions") if found["exchange_rate"]
    ]
    assert converted
    assert not set(converted) & set(euros)
    assert max(abs(rate / reference - 1) for rate in converted for reference in euros) < Decimal("0.06")


def test_the_rate_card_has_one_cost_for_each_day_of_all_that_is_metered(tiny: Dataset) -> None:
    card = tiny.table("serving_costs").to_pylist()
    assert all(0 < line["unit_cost"] < 1 for line in card)
    for product in METERED:
        for model in MODELS[product.event_name]:
            own = [line for line in card if (line["product_code"], line["model"]) == (product.code, model)]
            lines = own or [line for line in card if (line["product_code"], line["model"]) == (product.code, None)]
            lines.sort(key=lambda line: line["effective_from"])
            assert lines
            assert [line["effective_to"] for line in lines] == [line["effective_from"] for line in lines[1:]] + [None]
