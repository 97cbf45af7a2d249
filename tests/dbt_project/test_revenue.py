"""Recognised converges to billed over the life of every contract: the checks of that notice each way in which it may not."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.dbt_project.conftest import Dbt

# On 3 September: a fee of 31.00 billed ahead on 15 August for 31 days, of which the last eleven are still to come; usage of
# 10.00 in August less a discount of 1.00, billed on 1 September and 4.00 of it paid by credit; a draft with 2.50 so far, 0.50
# of it paid by credit.
TIED = """
create schema intermediate;
create schema marts;
create table intermediate.int_core__known_at as select timestamp '2026-09-03 09:30:00' as known_at;
create table marts.fct_invoices as from (values
    ('inv_fee', 'paid', false), ('inv_usage', 'synced', false), ('inv_draft', 'draft', false), ('inv_void', 'void', false),
    ('inv_staff', 'paid', true)
) as invoices (invoice_id, status, is_internal);
create table marts.fct_invoice_lines as from (values
    ('line_fee', 'inv_fee', 'acct_1', 'fixed_fee', 'USD', 31.00, 0.00, 0.00),
    ('line_usage', 'inv_usage', 'acct_1', 'usage', 'USD', 9.00, 0.00, 4.00),
    ('line_draft', 'inv_draft', 'acct_1', 'usage', 'USD', 5.00, 2.50, 0.50),
    ('line_void', 'inv_void', 'acct_1', 'usage', 'USD', 7.00, 0.00, 0.00),
    ('line_staff', 'inv_staff', 'acct_9', 'usage', 'USD', 8.00, 0.00, 0.00)
) as lines (
    invoice_line_id, invoice_id, customer_id, line_kind, currency, adjusted_amount, minimum_amount, credits_applied_amount
);
create table intermediate.int_revenue__line_days as
select 'line_fee' as invoice_line_id, 'acct_1' as customer_id, 'fixed_fee' as revenue_kind, 'USD' as currency,
    cast(1 as decimal(38, 9)) as amount, true as is_billed, cast(day as date) as revenue_date
from generate_series(date '2026-08-15', date '2026-09-14', interval 1 day) as days (day)
union all
from (values
    ('line_usage', 'acct_1', 'usage', 'USD', 10.00, true, date '2026-08-20'),
    ('line_usage', 'acct_1', 'discount', 'USD', -1.00, true, date '2026-08-20'),
    ('line_draft', 'acct_1', 'usage', 'USD', 2.50, false, date '2026-09-02')
);
create table marts.fct_revenue_daily as
select customer_id, revenue_kind, currency, amount, is_billed, revenue_date
from intermediate.int_revenue__line_days
where revenue_date <= date '2026-09-03'
union all
from (values
    ('acct_1', 'credit_note', 'USD', -3.00, true, date '2026-09-01'),
    ('acct_1', 'promotional_credit', 'USD', -0.50, false, date '2026-09-02'),
    ('acct_1', 'breakage', 'USD', 20.00, true, date '2026-09-01')
);
create table intermediate.int_revenue__credit_draws as from (values ('acct_1', 'USD', 4.00), ('acct_1', 'USD', 0.50))
    as draws (customer_id, currency, amount);
create table marts.fct_unbilled_receivable as from (values
    ('acct_1', '2026-08', 'USD', 5.00), ('acct_1', '2026-09', 'USD', 2.00)
) as unbilled (customer_id, period, currency, closing_amount);
"""

OF_LINES, OF_CUSTOMERS = "assert_recognised_days_equal_the_invoice_lines", "assert_recognised_converges_to_billed"

PLANTED = {
    "a cent that rounding loses": (
        "update intermediate.int_revenue__line_days set amount = 0.99 where revenue_date = '2026-09-14'",
        {OF_LINES, OF_CUSTOMERS},
    ),
    "a line that is not recognised": (
        "delete from intermediate.int_revenue__line_days where invoice_line_id = 'line_draft'",
        {OF_LINES},
    ),
    "a discount that is left out": (
        "delete from intermediate.int_revenue__line_days where revenue_kind = 'discount'",
        {OF_LINES},
    ),
    "a voided invoice that is recognised": (
        "update marts.fct_invoices set status = 'paid' where invoice_id = 'inv_void'",
        {OF_LINES, OF_CUSTOMERS},
    ),
    "a day that is not in the mart": (
        "delete from marts.fct_revenue_daily where revenue_date = '2026-08-31'",
        {OF_CUSTOMERS},
    ),
    "a day ahead that is in the mart": (
        "insert into marts.fct_revenue_daily values ('acct_1', 'fixed_fee', 'USD', 1, true, '2026-09-04')",
        {OF_CUSTOMERS},
    ),
    "revenue in another currency": (
        "update marts.fct_revenue_daily set currency = 'EUR' where revenue_date = '2026-08-31'",
        {OF_CUSTOMERS},
    ),
    "something unbilled that is left when everything is invoiced": (
        "update marts.fct_unbilled_receivable set closing_amount = 2.01 where period = '2026-09'",
        {OF_CUSTOMERS},
    ),
}


def test_what_converges_ties(dbt: Dbt, tied: Path) -> None:
    assert dbt.failed(OF_LINES, OF_CUSTOMERS, warehouse=tied) == set()


@pytest.mark.parametrize("plant", PLANTED)
def test_what_does_not_converge_is_noticed(dbt: Dbt, tied: Path, plant: str) -> None:
    statement, expected = PLANTED[plant]
    with duckdb.connect(str(tied)) as connection:
        connection.execute(statement)
    assert dbt.failed(OF_LINES, OF_CUSTOMERS, warehouse=tied) == expected
