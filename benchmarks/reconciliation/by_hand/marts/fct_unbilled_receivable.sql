-- Orb's periods are months: which of its days a line's usage was on makes no difference here.
with lines as materialized (
    from customers_lines()
),

billed as materialized (
    from parts('lines')
),

used as materialized (
    select customer_id, product_id, currency, amount, is_billed, invoice_date, last_day as used_on
    from billed
    where revenue_kind = 'usage'
    union all
    select customer_id, product_id, currency, amount, is_billed, invoice_date, revenue_date
    from fee_days('billed')
    where not is_billed or revenue_date < invoice_date
),

movements as materialized (
    select
        customer_id,
        product_id,
        currency,
        date_trunc('month', used_on)::date as month_start,
        amount as used_amount,
        0 as drawn_amount,
        0 as invoiced_amount,
    from used
    union all
    select customer_id, product_id, currency, date_trunc('month', entry_date)::date, 0, amount, 0
    from credit_draws('lines')
    union all
    select customer_id, product_id, currency, date_trunc('month', invoice_date)::date, 0, 0, amount
    from used
    where is_billed
    union all
    select customer_id, product_id, currency, date_trunc('month', invoice_date)::date, 0, 0, -credits_applied_amount
    from lines
    where status not in ('draft', 'void')
),

months as (
    select
        customer_id,
        product_id,
        currency,
        unnest(generate_series(min(month_start), greatest(max(month_start), known_on()), interval 1 month))::date as month_start,
    from movements
    group by customer_id, product_id, currency
),

by_month as (
    select
        customer_id,
        product_id,
        currency,
        month_of(month_start) as period,
        coalesce(sum(used_amount), 0)::decimal(38, 9) as used_amount,
        coalesce(sum(drawn_amount), 0)::decimal(38, 9) as drawn_amount,
        coalesce(sum(invoiced_amount), 0)::decimal(38, 9) as invoiced_amount,
    from (from movements union all by name from months)
    group by all
),

rolled as (
    select
        *,
        (sum(used_amount - drawn_amount - invoiced_amount) over ledger_to_date)::decimal(38, 9) as closing_amount,
    from by_month
    window ledger_to_date as (partition by customer_id, product_id, currency order by period)
)

select
    key([customer_id, product_id, currency, period]) as unbilled_receivable_id,
    customer_id,
    product_id,
    period,
    currency,
    closing_amount - used_amount + drawn_amount + invoiced_amount as opening_amount,
    used_amount,
    drawn_amount,
    invoiced_amount,
    closing_amount,
from rolled
where closing_amount <> 0 or used_amount <> 0 or drawn_amount <> 0 or invoiced_amount <> 0
