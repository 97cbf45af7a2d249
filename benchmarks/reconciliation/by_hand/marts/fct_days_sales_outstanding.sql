with balances as materialized (
    from receivable_balances()
),

invoiced as materialized (
    select upper(currency) as currency, date_trunc('month', invoice_date)::date as month_start, amount_due
    from orb_invoices()
    where status in ('issued', 'synced', 'paid') and customer_id not in (select customer_id from internal_customers())
),

months as (
    select
        currency,
        month_start,
        last_day(month_start) as month_end,
        (month_start - interval 2 months)::date as first_day,
    from (select distinct currency from invoiced)
    cross join (
        select unnest(generate_series(min(month_start), known_on(), interval 1 month))::date as month_start
        from invoiced
    )
    where month_end <= known_on()
),

measured as (
    select
        currency,
        month_of(month_start) as period,
        month_end - first_day + 1 as days,
        coalesce((
            select sum(change_amount) from balances
            where balances.currency = months.currency and valid_from <= month_end
        ), 0)::decimal(38, 9) as open_amount,
        coalesce((
            select sum(amount_due) from invoiced
            where invoiced.currency = months.currency and invoiced.month_start between first_day and month_end
        ), 0)::decimal(38, 9) as invoiced_amount,
    from months
)

select
    key([currency, period]) as days_sales_outstanding_id,
    currency,
    period,
    days,
    open_amount,
    invoiced_amount,
    round(quotient(open_amount * days, invoiced_amount), 1)::decimal(38, 9) as days_sales_outstanding,
from measured
