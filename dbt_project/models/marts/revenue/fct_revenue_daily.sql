{{ config(materialized='table', **layout('revenue_date', cluster=['customer_id'])) }}

with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

recognised as (

    select
        days.customer_id,
        days.product_id,
        days.price_id,
        days.revenue_kind,
        days.currency,
        days.amount,
        days.is_billed,
        days.revenue_date,
    from {{ ref('int_revenue__line_days') }} as days
    cross join known
    -- what an invoice bills in advance is earned when its day has come
    where days.revenue_date <= known.known_on
    union all
    select
        customer_id,
        product_id,
        price_id,
        'credit_note' as revenue_kind,
        currency,
        amount,
        true as is_billed,
        revenue_date,
    from {{ ref('int_revenue__credit_note_lines') }}
    where not is_prepaid_credit
    union all
    select
        customer_id,
        product_id,
        price_id,
        'promotional_credit' as revenue_kind,
        currency,
        -unpaid_amount as amount,
        is_billed,
        draw_date as revenue_date,
    from {{ ref('int_revenue__credit_draws') }}
    union all
    -- credit is paid for when it is sold, and no product was used
    select
        customer_id,
        cast(null as string) as product_id,
        cast(null as string) as price_id,
        'breakage' as revenue_kind,
        currency,
        amount,
        true as is_billed,
        revenue_date,
    from {{ ref('int_revenue__breakage') }}
    where breakage_policy = '{{ var("breakage_policy") }}'

),

earned as (

    select
        recognised.customer_id,
        recognised.product_id,
        recognised.price_id,
        recognised.revenue_kind,
        recognised.currency,
        {{ sum_decimal('recognised.amount') }} as amount,
        recognised.is_billed,
        recognised.revenue_date,
    from recognised
    group by
        recognised.customer_id, recognised.product_id, recognised.price_id, recognised.revenue_kind, recognised.currency, recognised.is_billed,
        recognised.revenue_date
    having sum(recognised.amount) <> 0

)

select
    {{ surrogate_key([
        'earned.customer_id', 'earned.product_id', 'earned.price_id', 'earned.revenue_kind', 'earned.currency',
        "case when earned.is_billed then 'billed' else 'unbilled' end", iso_date('earned.revenue_date'),
    ]) }} as revenue_daily_id,
    earned.customer_id,
    earned.product_id,
    earned.price_id,
    earned.revenue_kind,
    earned.currency,
    {{ reporting_currency() }} as reporting_currency,
    earned.amount,
    {{ exchange_rate('earned.currency') }} as exchange_rate,
    {{ exchange_rate_source('earned.currency') }} as exchange_rate_source,
    {{ reporting_amount('earned.amount', 'earned.currency') }} as reporting_amount,
    earned.is_billed,
    earned.revenue_date,
    {{ certified_through() }} as certified_through,
from earned
{{ join_exchange_rates('earned.currency', 'earned.revenue_date') }}
