{{ config(materialized='table') }}

with earned as (

    -- credit notes put right what earlier months billed, and credit that expired was not used: neither says who stays
    select
        customer_id,
        coalesce(product_id, '') as product_id,
        currency,
        {{ truncate_date('month', 'revenue_date') }} as month_start,
        {{ sum_decimal('amount') }} as amount,
        {{ sum_if_complete('reporting_amount') }} as reporting_amount,
    from {{ ref('fct_revenue_daily') }}
    where revenue_kind not in ('credit_note', 'breakage')
    group by customer_id, coalesce(product_id, ''), currency, {{ truncate_date('month', 'revenue_date') }}

),

used as (

    select
        customer_id,
        product_id,
        {{ truncate_date('month', 'usage_date') }} as month_start,
        {{ sum_decimal('quantity') }} as quantity,
    from {{ ref('fct_usage_daily') }}
    group by customer_id, product_id, {{ truncate_date('month', 'usage_date') }}

),

lives as (

    -- to the newest month of all, or who left would be in no month; a month that nobody has used the product in has not come
    select
        earned.customer_id,
        min(earned.month_start) as first_month,
        max(newest.month_start) as last_month,
    from earned
    cross join (select max(month_start) as month_start from used) as newest
    where not coalesce(earned.amount = 0 and earned.reporting_amount = 0, false)
    group by earned.customer_id

),

products as (

    select distinct
        customer_id,
        product_id,
        currency,
    from earned

),

months as (

    select
        products.customer_id,
        products.product_id,
        products.currency,
        month_start,
    from products
    inner join lives on products.customer_id = lives.customer_id
    cross join {{ month_series('lives.first_month', 'lives.last_month', 'month_start') }}

)

select
    months.customer_id,
    months.product_id,
    months.currency,
    coalesce(used.quantity, {{ decimal_literal('0') }}) as quantity,
    coalesce(earned.amount, {{ decimal_literal('0') }}) as amount,
    case when earned.customer_id is null then {{ decimal_literal('0') }} else earned.reporting_amount end as reporting_amount,
    months.month_start,
from months
left join earned
    on
        months.customer_id = earned.customer_id
        and months.product_id = earned.product_id
        and months.currency = earned.currency
        and months.month_start = earned.month_start
left join used
    on
        months.customer_id = used.customer_id
        and months.product_id = used.product_id
        and months.month_start = used.month_start
