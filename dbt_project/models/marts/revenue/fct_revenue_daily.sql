{{ config(materialized='table', **layout('revenue_date', cluster=['customer_id'])) }}

with issued as (

    select
        invoices.invoice_id,
        invoices.customer_id,
        min(lines.period_start) as period_start,
        max(lines.period_end) as period_end,
    from {{ ref('fct_invoices') }} as invoices
    inner join {{ ref('fct_invoice_lines') }} as lines on invoices.invoice_id = lines.invoice_id
    where
        invoices.status in ('issued', 'synced', 'paid')
        and invoices.invoice_source = 'subscription'
        and not invoices.is_internal
    group by invoices.invoice_id, invoices.customer_id

),

promotional_entries as (

    select *
    from {{ ref('fct_credit_ledger') }}
    where is_promotional

),

promotional_credits as (

    select
        entries.customer_id,
        items.product_code as product_id,
        entries.currency,
        entries.amount,
        {{ date_of('entries.created_at') }} as revenue_date,
    from promotional_entries as entries
    inner join issued on entries.invoice_id = issued.invoice_id
    left join {{ ref('stg_orb__prices') }} as prices on entries.price_id = prices.price_id
    left join {{ ref('stg_orb__items') }} as items on prices.item_id = items.item_id
    where entries.entry_type = 'decrement'
    union all
    -- Orb gives credit back when a volume price falls, and then names neither the invoice nor the price
    select
        entries.customer_id,
        cast(null as string) as product_id,
        entries.currency,
        entries.amount,
        {{ date_of('entries.created_at') }} as revenue_date,
    from promotional_entries as entries
    inner join issued
        on
            entries.customer_id = issued.customer_id
            and {{ date_of('entries.created_at') }} >= issued.period_start
            and {{ date_of('entries.created_at') }} < issued.period_end
    where entries.entry_type = 'amendment'
    qualify row_number() over (partition by entries.ledger_entry_id order by issued.invoice_id) = 1

),

recognised as (

    select
        revenue_kind,
        customer_id,
        product_id,
        currency,
        amount,
        revenue_date,
    from {{ ref('int_revenue__line_days') }}
    union all
    select
        'promotional_credit' as revenue_kind,
        customer_id,
        product_id,
        currency,
        amount,
        revenue_date,
    from promotional_credits

)

select
    {{ surrogate_key([
        'earned.customer_id', 'earned.product_id', 'earned.revenue_kind', 'earned.currency', iso_date('earned.revenue_date'),
    ]) }} as revenue_daily_id,
    earned.customer_id,
    earned.product_id,
    earned.revenue_kind,
    earned.currency,
    {{ sum_decimal('earned.amount') }} as amount,
    earned.revenue_date,
    {{ certified_through() }} as certified_through,
from recognised as earned
group by earned.customer_id, earned.product_id, earned.revenue_kind, earned.currency, earned.revenue_date
having sum(earned.amount) <> 0
