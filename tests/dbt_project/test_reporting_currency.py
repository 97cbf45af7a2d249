"""Margin and retention have all of the revenue, once, and a conversion's gain is what is booked of it: the checks of that tie by
hand, and notice where they do not."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.dbt_project.conftest import Dbt

# 100.00 euros worth 108.00 came to 107.00 dollars.
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
create schema intermediate;
create table marts.dim_exchange_rates as from (values ('EUR', 1.08, 'H.10', date '2026-08-01'))
    as rates (currency, exchange_rate, exchange_rate_source, rate_date);
create table marts.fct_balance_transactions as from (values ('converted', -1.00), ('own', 0.00), ('no_rate', null))
    as transactions (balance_transaction_id, conversion_gain_amount);
create table intermediate.int_journal__entries as from (values
    ('converted', 'currency_conversion', 'USD', -107.00, date '2026-08-01'),
    ('converted', 'currency_conversion', 'EUR', 100.00, date '2026-08-01'),
    ('converted', 'stripe_clearing', 'USD', 107.00, date '2026-08-01'),
    ('no_rate', 'currency_conversion', 'USD', -130.00, date '2026-08-01'),
    ('no_rate', 'currency_conversion', 'GBP', 100.00, date '2026-08-01')
) as entries (document_id, account_id, currency, amount, entry_date);
"""

MARGIN, REVENUE = "assert_margin_has_all_revenue_and_all_costs", "assert_movements_end_at_revenue"
MOVEMENTS, GAINS = "movements_add_up_to_the_change_of_revenue", "assert_conversion_gains_equal_the_journal"

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
    "a gain that is another by a cent": (
        "update marts.fct_balance_transactions set conversion_gain_amount = -1.01 where conversion_gain_amount = -1",
        {GAINS},
    ),
    "a gain of what was not converted": (
        "update marts.fct_balance_transactions set conversion_gain_amount = 1 where balance_transaction_id = 'own'",
        {GAINS},
    ),
    "one side of a conversion that is not booked": (
        "delete from intermediate.int_journal__entries where currency = 'EUR'",
        {GAINS},
    ),
    "a conversion of no transaction": (
        "delete from marts.fct_balance_transactions where balance_transaction_id = 'converted'",
        {GAINS},
    ),
}


def test_margin_movements_and_gains_that_have_everything_tie(dbt: Dbt, tied: Path) -> None:
    assert dbt.failed(MARGIN, REVENUE, MOVEMENTS, GAINS, warehouse=tied) == set()


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_left_out_or_counted_twice_is_noticed(dbt: Dbt, tied: Path, plant: str) -> None:
    statement, expected = PLANTED[plant]
    with duckdb.connect(str(tied)) as connection:
        connection.execute(statement)
    assert dbt.failed(MARGIN, REVENUE, MOVEMENTS, GAINS, warehouse=tied) == expected
