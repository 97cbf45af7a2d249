{{ config(materialized='table', **layout('usage_date', cluster=['customer_id'])) }}

with metered as (

    {% for metric, event_name, column in usage_metrics() -%}
    {% set measure = column or 'event_count' -%}
    select
        customer_id,
        '{{ metric }}' as metric,
        model,
        usage_date,
        {{ to_decimal(measure) }} as quantity,
        event_count,
        first_occurred_at,
        last_occurred_at,
    from {{ ref('int_usage__app_daily') }}
    where event_name = '{{ event_name }}' and {{ measure }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    {{ surrogate_key(['metered.customer_id', 'metered.metric', 'metered.model', iso_date('metered.usage_date')]) }} as usage_daily_id,
    metered.customer_id,
    products.product_id,
    metered.model,
    metered.metric,
    products.unit,
    metered.quantity,
    metered.event_count,
    coalesce(customers.is_internal, false) as is_internal,
    metered.usage_date,
    cast(metered.first_occurred_at as timestamp) as first_occurred_at,
    cast(metered.last_occurred_at as timestamp) as last_occurred_at,
    {{ certified_through() }} as certified_through,
from metered
left join {{ ref('dim_products') }} as products on metered.metric = products.metric
left join {{ ref('dim_customers') }} as customers on metered.customer_id = customers.customer_id
