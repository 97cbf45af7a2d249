{{ config(materialized='table', **layout('usage_date', cluster=['customer_id'])) }}

with measured as (

    select
        customer_id,
        event_name,
        model,
        {{ date_of('occurred_at') }} as usage_date,
        {{ sum_integer('input_tokens') }} as input_tokens,
        {{ sum_integer('output_tokens') }} as output_tokens,
        {{ sum_decimal('megapixels') }} as megapixels,
        {{ sum_decimal('video_seconds') }} as video_seconds,
        {{ sum_decimal('gpu_seconds') }} as gpu_seconds,
        count(*) as event_count,
        min(occurred_at) as first_occurred_at,
        max(occurred_at) as last_occurred_at,
    from {{ ref('stg_app__usage_events') }}
    group by customer_id, event_name, model, {{ date_of('occurred_at') }}

),

metered as (

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
    from measured
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
