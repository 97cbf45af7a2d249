{{ config(materialized='table', **layout('revenue_date', cluster=['customer_id'])) }}

with promotional_credits as (

    select
        'promotional_credit' as revenue_kind,
        ledger.customer_id,
        items.product_code as product_id,
        ledger.currency,
        -abs(ledger.amount) as amount,
        {{ date_of('ledger.created_at') }} as revenue_date,
    from {{ ref('fct_credit_ledger') }} as ledger
    inner join {{ ref('fct_invoices') }} as invoices on ledger.invoice_id = invoices.invoice_id
    left join {{ ref('stg_orb__prices') }} as prices on ledger.price_id = prices.price_id
    left join {{ ref('stg_orb__items') }} as items on prices.item_id = items.item_id
    where
        ledger.entry_type = 'decrement'
        and ledger.is_promotional
        and invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal

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
        revenue_kind,
        customer_id,
        product_id,
        currency,
        amount,
        revenue_date,
    from promotional_credits

)

select
    {{ surrogate_key(['earned.customer_id', 'earned.product_id', 'earned.revenue_kind', 'earned.currency', iso_date('earned.revenue_date')]) }} as revenue_daily_id,
    earned.customer_id,
    earned.product_id,
    earned.revenue_kind,
    earned.currency,
    {{ sum_decimal('earned.amount') }} as amount,
    earned.revenue_date,
from recognised as earned
group by earned.customer_id, earned.product_id, earned.revenue_kind, earned.currency, earned.revenue_date
having sum(earned.amount) <> 0
