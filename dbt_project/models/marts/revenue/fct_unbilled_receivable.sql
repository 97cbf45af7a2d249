with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

used as (

    -- what was earned before its invoice's date, or has no invoice yet
    select
        customer_id,
        product_id,
        currency,
        amount,
        is_billed,
        invoice_date,
        revenue_date,
    from {{ ref('int_revenue__line_days') }}
    where not is_billed or revenue_date < invoice_date

),

movements as (

    select
        customer_id,
        product_id,
        currency,
        amount as used_amount,
        {{ decimal_literal('0') }} as drawn_amount,
        {{ decimal_literal('0') }} as invoiced_amount,
        revenue_date as moved_on,
    from used
    union all
    select
        customer_id,
        product_id,
        currency,
        {{ decimal_literal('0') }} as used_amount,
        amount as drawn_amount,
        {{ decimal_literal('0') }} as invoiced_amount,
        draw_date as moved_on,
    from {{ ref('int_revenue__credit_draws') }}
    union all
    select
        customer_id,
        product_id,
        currency,
        {{ decimal_literal('0') }} as used_amount,
        {{ decimal_literal('0') }} as drawn_amount,
        amount as invoiced_amount,
        invoice_date as moved_on,
    from used
    where is_billed
    union all
    -- what credit paid for is not asked for
    select
        lines.customer_id,
        lines.product_id,
        lines.currency,
        {{ decimal_literal('0') }} as used_amount,
        {{ decimal_literal('0') }} as drawn_amount,
        -lines.credits_applied_amount as invoiced_amount,
        invoices.invoice_date as moved_on,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal
        and lines.credits_applied_amount <> 0

),

ledgers as (

    select
        customer_id,
        product_id,
        currency,
        min(moved_on) as first_day,
        max(moved_on) as last_day,
    from movements
    group by customer_id, product_id, currency

),

months as (

    -- a balance stands at the end of every month, also of one in which nothing moved
    select
        ledgers.customer_id,
        ledgers.product_id,
        ledgers.currency,
        {{ decimal_literal('0') }} as used_amount,
        {{ decimal_literal('0') }} as drawn_amount,
        {{ decimal_literal('0') }} as invoiced_amount,
        month_start as moved_on,
    from (
        select
            ledgers.*,
            greatest(ledgers.last_day, known.known_on) as until,
        from ledgers
        cross join known
    ) as ledgers
    cross join {{ month_series('ledgers.first_day', 'ledgers.until', 'month_start') }}

),

by_month as (

    select
        customer_id,
        product_id,
        currency,
        {{ year_month('moved_on') }} as period,
        {{ sum_decimal('used_amount') }} as used_amount,
        {{ sum_decimal('drawn_amount') }} as drawn_amount,
        {{ sum_decimal('invoiced_amount') }} as invoiced_amount,
    from (
        select * from movements
        union all
        select * from months
    ) as moved
    group by customer_id, product_id, currency, {{ year_month('moved_on') }}

),

rolled as (

    select
        *,
        {{ to_decimal('sum(used_amount - drawn_amount - invoiced_amount) over (partition by customer_id, product_id, currency order by period)') }}
            as closing_amount,
    from by_month

)

select
    {{ surrogate_key(['rolled.customer_id', 'rolled.product_id', 'rolled.currency', 'rolled.period']) }} as unbilled_receivable_id,
    rolled.customer_id,
    rolled.product_id,
    rolled.period,
    rolled.currency,
    {{ to_decimal('rolled.closing_amount - rolled.used_amount + rolled.drawn_amount + rolled.invoiced_amount') }} as opening_amount,
    rolled.used_amount,
    rolled.drawn_amount,
    rolled.invoiced_amount,
    rolled.closing_amount,
    {{ certified_through() }} as certified_through,
from rolled
where
    rolled.closing_amount <> 0
    or rolled.used_amount <> 0
    or rolled.drawn_amount <> 0
    or rolled.invoiced_amount <> 0
