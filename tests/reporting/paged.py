"""The miniature warehouse with what the page reads beside the report: ages, a money trail, rates, names."""

from __future__ import annotations

from pathlib import Path

from tests.miniature import build as build_miniature

MORE = """
alter table marts.dim_customers add column if not exists customer_name varchar;
update marts.dim_customers set customer_name = 'Birch, <Works> & "Sons"' where customer_id = 'acct_0001';
alter table reconciliation.fct_breaks add column if not exists age_days bigint;
alter table reconciliation.fct_breaks add column if not exists age_bucket varchar;
alter table reconciliation.fct_breaks add column if not exists first_seen_at timestamp;
alter table reconciliation.fct_breaks add column if not exists last_seen_at timestamp;
alter table reconciliation.fct_breaks add column if not exists resolved_at timestamp;
update reconciliation.fct_breaks set
    age_days = 0, age_bucket = '0-1', first_seen_at = '2026-09-02 10:00:00', last_seen_at = '2026-09-02 10:00:00';
update reconciliation.fct_breaks set age_days = 40, age_bucket = '31-90', first_seen_at = '2026-07-24 10:00:00'
where break_id = 'b1';
insert into reconciliation.fct_breaks by name
select * replace ('gone' as break_id, 'resolved' as state, false as is_open, '2026-08-30 09:00:00'::timestamp as resolved_at)
from reconciliation.fct_breaks
where break_id = 'b1';
create table if not exists marts.dim_exchange_rates
    (currency varchar, reporting_currency varchar, exchange_rate decimal(38, 18), rate_date date);
delete from marts.dim_exchange_rates;
insert into marts.dim_exchange_rates by name
select unnest(['USD', 'JPY', 'JPY']) as currency, 'USD' as reporting_currency, unnest([1, 0.0067, 9]) as exchange_rate,
    unnest(['2026-08-31', '2026-08-31', '2026-08-01']::date[]) as rate_date;
create table if not exists reconciliation.fct_money_trail (
    money_trail_id varchar, customer_id varchar, period varchar, currency varchar, metered_amount decimal(38, 9),
    rated_amount decimal(38, 9), credits_applied_amount decimal(38, 9), tax_amount decimal(38, 9), invoiced_amount decimal(38, 9),
    collected_amount decimal(38, 9), topped_up_amount decimal(38, 9), refunded_amount decimal(38, 9),
    disputed_amount decimal(38, 9), fee_amount decimal(38, 9), settled_amount decimal(38, 9), banked_amount decimal(38, 9),
    recognised_amount decimal(38, 9), metered_not_rated_amount decimal(38, 9), rated_not_invoiced_amount decimal(38, 9),
    invoiced_not_collected_amount decimal(38, 9), collected_not_settled_amount decimal(38, 9),
    settled_not_banked_amount decimal(38, 9), rated_not_recognised_amount decimal(38, 9)
);
delete from reconciliation.fct_money_trail;
insert into reconciliation.fct_money_trail by name
select customer_id, period, currency, rated + 1 as metered_amount, rated as rated_amount, 20 as credits_applied_amount,
    8 as tax_amount, rated - 12 as invoiced_amount, rated - 22 as collected_amount, 40 as topped_up_amount, 3 as refunded_amount,
    0 as disputed_amount, 2 as fee_amount, rated + 13 as settled_amount, rated + 13 as banked_amount,
    rated - 5 as recognised_amount, 1 as metered_not_rated_amount, 0 as rated_not_invoiced_amount,
    10 as invoiced_not_collected_amount,
    0 as collected_not_settled_amount, 0 as settled_not_banked_amount, 5 as rated_not_recognised_amount
from (values
    ('acct_0001', '2026-07', 'USD', 100), ('acct_0001', '2026-08', 'USD', 90.000000001), ('acct_0002', '2026-07', 'JPY', 9900)
) as sums (customer_id, period, currency, rated);
"""


def build(path: Path, *changes: str) -> Path:
    """Writes the warehouse to `path`, applies the SQL `changes` to it and returns the path."""
    return build_miniature(path, MORE, *changes)
