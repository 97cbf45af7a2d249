"""Margin and retention have all of the revenue, once: the checks of that tie by hand, and notice where they do not."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.dbt_project.conftest import Dbt

# In August 100.00 of use less 10.00 of promotional credit, a credit note of 5.00; in September a day without a rate.
TIED = """
create schema marts;
create table marts.fct_revenue_daily as from (values
    ('usage', 100.00, date '2026-08-01'), ('promotional_credit', -10.00, date '2026-08-02'),
    ('credit_note', -5.00, date '2026-08-31'), ('usage', 20.00, date '2026-09-01'), ('usage', null, date '2026-09-02')
) as revenue (revenue_kind, reporting_amount, revenue_date);
create table marts.fct_serving_costs as from (values (30.00, date '2026-08-01'), (7.00, date '2026-09-01'))
    as costs (reporting_cost_amount, usage_date);
create table marts.fct_product_margin as from (values
    ('2026-08', 60.00, 30.00), ('2026-08', 25.00, 0.00), ('2026-09', null, 7.00)
) as margin (period, reporting_revenue_amount, reporting_cost_amount);
create table marts.fct_revenue_movements as from (values
    ('a', '2026-08', 0.00, 70.00, 0.00, 70.00), ('b', '2026-08', 0.00, 20.00, 0.00, 20.00),
    ('a', '2026-09', 70.00, 0.00, -50.00, 20.00), ('b', '2026-09', 20.00, 0.00, null, null)
) as moved (customer_id, period, opening_amount, new_amount, contraction_amount, closing_amount);
alter table marts.fct_revenue_movements add column reactivation_amount decimal(38, 9) default 0;
alter table marts.fct_revenue_movements add column expansion_amount decimal(38, 9) default 0;
alter table marts.fct_revenue_movements add column price_change_amount decimal(38, 9) default 0;
alter table marts.fct_revenue_movements add column exchange_rate_change_amount decimal(38, 9) default 0;
alter table marts.fct_revenue_movements add column churn_amount decimal(38, 9) default 0;
"""

MARGIN, REVENUE = "assert_margin_has_all_revenue_and_all_costs", "assert_movements_end_at_revenue"
MOVEMENTS = "movements_add_up_to_the_change_of_revenue"

PLANTED = {
    "a product without its revenue": (
        "update marts.fct_product_margin set reporting_revenue_amount = 0 where reporting_revenue_amount = 25",
        {MARGIN},
    ),
    "a cost that counts twice": ("insert into marts.fct_product_margin values ('2026-08', 0, 30.00)", {MARGIN}),
    "a month that has no margin": ("delete from marts.fct_product_margin where period = '2026-09'", {MARGIN}),
    "a customer whom no movement tells of": (
        "delete from marts.fct_revenue_movements where customer_id = 'b' and period = '2026-08'",
        {REVENUE},
    ),
    "a movement that is off by a cent": (
        "update marts.fct_revenue_movements set contraction_amount = -50.01 where contraction_amount = -50",
        {MOVEMENTS},
    ),
}


def test_margin_and_movements_that_have_all_revenue_tie(dbt: Dbt, tied: Path) -> None:
    assert dbt.failed(MARGIN, REVENUE, MOVEMENTS, warehouse=tied) == set()


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_left_out_or_counted_twice_is_noticed(dbt: Dbt, tied: Path, plant: str) -> None:
    statement, expected = PLANTED[plant]
    with duckdb.connect(str(tied)) as connection:
        connection.execute(statement)
    assert dbt.failed(MARGIN, REVENUE, MOVEMENTS, warehouse=tied) == expected
