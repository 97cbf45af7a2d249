{%- set nothing = decimal_literal('0') -%}

with parts as (

    select
        customer_id,
        product_id,
        currency,
        {{ year_month('revenue_date') }} as period,
        {{ nothing }} as quantity,
        {{ nothing }} as uncosted_quantity,
        amount as revenue_amount,
        case when revenue_kind = 'promotional_credit' then amount else {{ nothing }} end as promotional_amount,
        reporting_amount as reporting_revenue_amount,
        {{ nothing }} as reporting_cost_amount,
    from {{ ref('fct_revenue_daily') }}
    union all
    -- a cost has no invoice: it stands beside what the customer pays in
    select
        costs.customer_id,
        costs.product_id,
        coalesce(customers.currency, costs.reporting_currency) as currency,
        {{ year_month('costs.usage_date') }} as period,
        costs.quantity,
        case when costs.serving_cost_id is null then costs.quantity else {{ nothing }} end as uncosted_quantity,
        {{ nothing }} as revenue_amount,
        {{ nothing }} as promotional_amount,
        {{ nothing }} as reporting_revenue_amount,
        costs.reporting_cost_amount,
    from {{ ref('fct_serving_costs') }} as costs
    left join {{ ref('dim_customers') }} as customers on costs.customer_id = customers.customer_id

),

by_month as (

    select
        parts.customer_id,
        parts.product_id,
        parts.currency,
        parts.period,
        {{ sum_decimal('parts.quantity') }} as quantity,
        {{ sum_decimal('parts.uncosted_quantity') }} as uncosted_quantity,
        {{ sum_decimal('parts.revenue_amount') }} as revenue_amount,
        {{ sum_decimal('parts.promotional_amount') }} as promotional_amount,
        {{ sum_if_complete('parts.reporting_revenue_amount') }} as reporting_revenue_amount,
        {{ sum_if_complete('parts.reporting_cost_amount') }} as reporting_cost_amount,
    from parts
    group by parts.customer_id, parts.product_id, parts.currency, parts.period

)

select
    {{ surrogate_key(['by_month.customer_id', 'by_month.product_id', 'by_month.currency', 'by_month.period']) }} as product_margin_id,
    by_month.customer_id,
    by_month.product_id,
    by_month.currency,
    {{ reporting_currency() }} as reporting_currency,
    by_month.period,
    by_month.quantity,
    by_month.uncosted_quantity,
    by_month.revenue_amount,
    by_month.promotional_amount,
    {{ divide('by_month.reporting_revenue_amount', 'by_month.revenue_amount') }} as average_exchange_rate,
    by_month.reporting_revenue_amount,
    by_month.reporting_cost_amount,
    {{ to_decimal('by_month.reporting_revenue_amount - by_month.reporting_cost_amount') }} as reporting_margin_amount,
    coalesce(customers.is_internal, false) as is_internal,
    {{ certified_through() }} as certified_through,
from by_month
left join {{ ref('dim_customers') }} as customers on by_month.customer_id = customers.customer_id
