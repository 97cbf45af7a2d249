-- Usage is not invoiced before it is used.
with lines as materialized (
    from customers_lines()
),

billed as (
    from parts('lines')
),

released as (
    select
        customer_id,
        product_id,
        currency,
        amount as recognised_amount,
        0 as voided_amount,
        invoice_date as booked_on,
        revenue_date as released_on,
    from fee_days('billed')
    where revenue_date >= invoice_date
    union all
    select customer_id, product_id, currency, 0, adjusted_amount - credits_applied_amount, invoice_date, voided_on
    from lines
    where status = 'void'
)

select
    key([customer_id, product_id, currency, month_of(booked_on), month_of(released_on)]) as deferred_revenue_id,
    customer_id,
    product_id,
    month_of(booked_on) as booked_period,
    month_of(released_on) as recognised_period,
    currency,
    sum(recognised_amount)::decimal(38, 9) as recognised_amount,
    sum(voided_amount)::decimal(38, 9) as voided_amount,
    coalesce(sum(recognised_amount + voided_amount) filter (released_on > known_on()), 0)::decimal(38, 9) as owed_amount,
from released
group by all
having sum(recognised_amount) <> 0 or sum(voided_amount) <> 0
