"""A warehouse small enough to check by hand: the marts a reader relies on, filled for two customers and two days so
that everything ties. Tests break one thing in it and look who notices."""

from __future__ import annotations

from pathlib import Path

import duckdb

SCHEMA = """
create schema marts;
create schema reconciliation;
create schema seeds;
create table seeds.currencies (currency varchar, exponent bigint);
create table marts.dim_customers (customer_id varchar, currency varchar, account_type varchar, is_internal boolean);
create table marts.fct_usage_daily (
    usage_daily_id varchar, customer_id varchar, product_id varchar, model varchar, metric varchar, unit varchar,
    quantity decimal(38, 9), event_count bigint, is_internal boolean,
    first_occurred_at timestamptz, last_occurred_at timestamptz, usage_date date
);
create table marts.fct_invoices (
    invoice_id varchar, customer_id varchar, status varchar, currency varchar, subtotal_amount decimal(38, 9),
    discount_amount decimal(38, 9), minimum_amount decimal(38, 9), credits_applied_amount decimal(38, 9),
    tax_amount decimal(38, 9), total_amount decimal(38, 9), amount_due decimal(38, 9),
    amount_paid decimal(38, 9), is_internal boolean,
    invoice_date date, due_date date
);
create table marts.fct_revenue_daily (
    revenue_daily_id varchar, customer_id varchar, product_id varchar, revenue_kind varchar, currency varchar,
    amount decimal(38, 9), reporting_amount decimal(38, 9), is_billed boolean, revenue_date date
);
create table marts.fct_payouts (
    payout_id varchar, currency varchar, amount decimal(38, 9), status varchar, created_at timestamptz,
    arrival_date date
);
create table reconciliation.fct_breaks (
    comparison varchar, hop varchar, break_id varchar, match_key varchar, customer_id varchar, period varchar,
    currency varchar, right_currency varchar, left_ref varchar, left_amount decimal(38, 9), right_ref varchar,
    right_amount decimal(38, 9), difference decimal(38, 9), status varchar, cause varchar, evidence varchar,
    state varchar default 'open',
    is_open boolean default true
);
create table marts.fct_excluded_rows (
    excluded_id varchar, source varchar, stream varchar, object_id varchar, customer_id varchar, cause varchar,
    currency varchar, amount decimal(38, 9)
);
create table marts.dim_streams (
    stream varchar, objects bigint, differing_days bigint, rejected_objects bigint, is_looked_up boolean,
    certified_through timestamp
);
create table reconciliation.rec_bridge (
    comparison varchar, hop varchar, period varchar, currency varchar, line_no bigint, line varchar,
    amount decimal(38, 9)
);
"""

TIED = """
insert into seeds.currencies values ('USD', 2), ('EUR', 2), ('JPY', 0), ('BHD', 3);
insert into marts.dim_customers values
    ('acct_0001', 'USD', 'customer', false), ('acct_0002', 'JPY', 'customer', false),
    ('acct_0009', 'USD', 'internal', true);
insert into marts.fct_usage_daily
select customer || product || day, customer, product, 'm', metric, unit, quantity, 2000, false,
    cast(day || ' 00:00:01+00' as timestamptz), cast(day || ' 23:59:59+00' as timestamptz), cast(day as date)
from (values ('acct_0001'), ('acct_0002')) as customers (customer)
cross join (values
    ('text_input', 'input_tokens', 'token', 5000), ('text_requests', 'requests', 'request', 2000),
    ('gpu_compute', 'gpu_seconds', 'second', 12.5)
) as products (product, metric, unit, quantity)
cross join (values ('2026-07-01'), ('2026-07-02'), ('2026-07-03')) as days (day);
insert into marts.fct_invoices values
    ('inv_1', 'acct_0001', 'paid', 'USD', 100, 10, 0, 20, 7, 77, 77, 77, false, '2026-07-31', '2026-08-30'),
    ('inv_2', 'acct_0002', 'synced', 'JPY', 8500, 0, 500, 0, 900, 9900, 9900, 0, false, '2026-07-31', '2026-08-30'),
    ('inv_3', 'acct_0001', 'paid', 'USD', 50, 0, 0, 0, 0, 50, 50, 50, false, '2026-08-31', '2026-09-30'),
    ('inv_4', 'acct_0001', 'draft', 'USD', 1, 0, 0, 0, 0, 1, 1, 0, false, '2026-09-30', '2026-10-30');
insert into marts.fct_revenue_daily values
    ('r1', 'acct_0001', 'text_input', 'usage', 'USD', 70.00, 70.00, true, '2026-07-01'),
    ('r2', 'acct_0001', 'text_input', 'usage', 'USD', 50.00, 50.00, true, '2026-07-02'),
    ('r3', 'acct_0001', 'text_input', 'promotional_credit', 'USD', -20.00, -20.00, true, '2026-07-02'),
    ('r4', 'acct_0001', 'text_input', 'discount', 'USD', -10.00, -10.00, true, '2026-07-02'),
    ('r5', 'acct_0001', 'text_input', 'credit_note', 'USD', -5.00, -5.00, true, '2026-07-03'),
    ('r6', 'acct_0001', null, 'breakage', 'USD', 90.00, 90.00, true, '2026-07-03'),
    ('r7', 'acct_0002', 'text_input', 'usage', 'JPY', 9000, 60.00, true, '2026-07-03');
insert into marts.fct_payouts values
    ('po_1', 'USD', 120.00, 'paid', '2026-08-10 03:00:00+00', '2026-08-12'),
    ('po_2', 'JPY', 9900, 'paid', '2026-08-10 03:00:00+00', '2026-08-13');
insert into reconciliation.fct_breaks (
    comparison, hop, break_id, match_key, customer_id, period, currency, right_currency, left_ref, left_amount, right_ref,
    right_amount, difference, status, cause, evidence
) values
    ('invoiced__orb_vs_stripe', 'invoiced', 'b1', 'inv_3', 'acct_0001', '2026-08', 'USD', 'USD', 'inv_3', 50.00, null,
        0, 50.00, 'break', 'invoice_not_synced', 'issued, no Stripe invoice carries its id'),
    ('invoiced__orb_vs_stripe', 'invoiced', 'b2', 'inv_5', 'acct_0001', '2026-08', 'USD', 'EUR', 'inv_5', 30.00, 'in_5',
        30.00, 30.00, 'break', 'invoice_currency_differs', 'USD in Orb, EUR in Stripe'),
    ('banked__payouts_vs_bank', 'banked', 'b3', 'po_3', null, '2026-08', 'USD', 'USD', 'po_3', 40.00, null, 0, 40.00,
        'timing', 'deposit_late', 'in transit until 2026-08-20'),
    ('metered__app_vs_orb', 'metered', 'b4', 'acct_0001/input_tokens/2026-07-02', 'acct_0001', '2026-07', 'input_tokens',
        'input_tokens', 'a', 5000, 'o', 4000, 1000, 'break', 'event_missing_in_orb', '1 event');
insert into marts.fct_excluded_rows values
    ('x1', 'stripe', 'charges', 'ch_test', null, 'test_mode_row', 'USD', 12.00),
    ('x2', 'app', 'customers', 'acct_0009', 'acct_0009', 'internal_account', 'USD', 33.00);
insert into marts.dim_streams values
    ('app.usage_events', 12000, 0, 0, false, '2026-09-02 10:15:00'),
    ('orb.events', 30, 0, 0, true, null),
    ('orb.invoices', 4, 0, 0, false, '2026-09-02 10:16:00'),
    ('stripe.charges', 3, 0, 0, false, '2026-09-02 10:17:00');
insert into reconciliation.rec_bridge values
    ('metered__app_vs_orb', 'metered', '2026-07', 'input_tokens', 1, 'left_total', 30000),
    ('metered__app_vs_orb', 'metered', '2026-07', 'input_tokens', 2, 'event_missing_in_orb', -1000),
    ('metered__app_vs_orb', 'metered', '2026-07', 'input_tokens', 3, 'unexplained', 0),
    ('metered__app_vs_orb', 'metered', '2026-07', 'input_tokens', 4, 'right_total', 29000),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'USD', 1, 'left_total', 77.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'USD', 2, 'unexplained', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'USD', 3, 'right_total', 77.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'USD', 1, 'left_total', 80.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'USD', 2, 'invoice_not_synced', -50.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'USD', 3, 'invoice_currency_differs', -30.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'USD', 4, 'unexplained', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'USD', 5, 'right_total', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'EUR', 1, 'left_total', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'EUR', 2, 'invoice_currency_differs', 30.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'EUR', 3, 'unexplained', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-08', 'EUR', 4, 'right_total', 30.00),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'JPY', 1, 'left_total', 9900),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'JPY', 2, 'unexplained', 0),
    ('invoiced__orb_vs_stripe', 'invoiced', '2026-07', 'JPY', 3, 'right_total', 9900),
    ('invoiced__orb_paid_vs_stripe_paid', 'invoiced', '2026-07', 'USD', 1, 'left_total', 77.00),
    ('invoiced__orb_paid_vs_stripe_paid', 'invoiced', '2026-07', 'USD', 2, 'unexplained', 0),
    ('invoiced__orb_paid_vs_stripe_paid', 'invoiced', '2026-07', 'USD', 3, 'right_total', 77.00),
    ('settled__payouts_vs_transactions', 'settled', '2026-08', 'USD', 1, 'left_total', 160.00),
    ('settled__payouts_vs_transactions', 'settled', '2026-08', 'USD', 2, 'unexplained', 0),
    ('settled__payouts_vs_transactions', 'settled', '2026-08', 'USD', 3, 'right_total', 160.00),
    ('settled__rolled_balance_vs_unsettled', 'settled', '2026-08', 'USD', 1, 'left_total', 12.00),
    ('settled__rolled_balance_vs_unsettled', 'settled', '2026-08', 'USD', 2, 'unexplained', 0),
    ('settled__rolled_balance_vs_unsettled', 'settled', '2026-08', 'USD', 3, 'right_total', 12.00),
    ('banked__payouts_vs_bank', 'banked', '2026-08', 'USD', 1, 'left_total', 160.00),
    ('banked__payouts_vs_bank', 'banked', '2026-08', 'USD', 2, 'timing', -40.00),
    ('banked__payouts_vs_bank', 'banked', '2026-08', 'USD', 3, 'unexplained', 0),
    ('banked__payouts_vs_bank', 'banked', '2026-08', 'USD', 4, 'right_total', 120.00),
    ('identity__app_vs_orb', 'identity', '2026-08', 'USD', 1, 'left_total', 127.00),
    ('identity__app_vs_orb', 'identity', '2026-08', 'USD', 2, 'unexplained', 0),
    ('identity__app_vs_orb', 'identity', '2026-08', 'USD', 3, 'right_total', 127.00),
    ('identity__app_vs_stripe', 'identity', '2026-08', 'USD', 1, 'left_total', 127.00),
    ('identity__app_vs_stripe', 'identity', '2026-08', 'USD', 2, 'unexplained', 0),
    ('identity__app_vs_stripe', 'identity', '2026-08', 'USD', 3, 'right_total', 127.00);
insert into reconciliation.rec_bridge
select comparison, split_part(comparison, '__', 1), '2026-08', 'USD', line_no, line, amount
from (values
    ('invoiced__orb_vs_stripe_credit_notes'),
    ('collected__invoices_vs_payments'),
    ('collected__payments_vs_charges'),
    ('collected__movements_vs_balance_transactions'),
    ('collected__fees_vs_schedule'),
    ('collected__refunds_vs_credit_notes')
) as comparisons (comparison)
cross join (values (1, 'left_total', 10), (2, 'unexplained', 0), (3, 'right_total', 10)) as lines (line_no, line, amount);
"""


def build(path: Path, *changes: str) -> Path:
    """Writes the miniature warehouse to `path`, applies the SQL `changes` to it and returns the path."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set timezone = 'UTC'")
        for statements in (SCHEMA, TIED, *changes):
            connection.execute(statements)
    return path
