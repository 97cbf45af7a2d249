{{ config(materialized='table') }}

{#- usage_metrics() says which events a metric comes from -#}
with metric_events as (

    {% for metric, event_name, _ in usage_metrics() -%}
    select '{{ metric }}' as metric, '{{ event_name }}' as event_name
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

app_days as (

    select
        customer_id,
        metric,
        usage_date,
        {{ sum_decimal('quantity') }} as quantity,
    from {{ ref('fct_usage_daily') }}
    group by customer_id, metric, usage_date

),

compared as (

    select
        coalesce(app_days.customer_id, orb_days.customer_id) as customer_id,
        coalesce(app_days.metric, orb_days.metric) as metric,
        coalesce(app_days.usage_date, orb_days.usage_date) as usage_date,
        coalesce(app_days.quantity, {{ decimal_literal('0') }}) as app_quantity,
        coalesce(orb_days.quantity, {{ decimal_literal('0') }}) as orb_quantity,
    from app_days
    full outer join {{ ref('int_usage__orb_daily') }} as orb_days
        on
            app_days.customer_id = orb_days.customer_id
            and app_days.metric = orb_days.metric
            and app_days.usage_date = orb_days.usage_date

),

tied_before as (

    -- Orb's total was the product's own once: what made it another came after the fact
    select distinct
        compared.customer_id,
        compared.metric,
        compared.usage_date,
    from compared
    inner join {{ ref('int_usage__orb_daily_versions') }} as versions
        on
            compared.customer_id = versions.customer_id
            and compared.metric = versions.metric
            and compared.usage_date = versions.usage_date
            and compared.app_quantity = versions.quantity
    where compared.app_quantity <> compared.orb_quantity

),

days as (

    select distinct
        compared.customer_id,
        metric_events.event_name,
        compared.usage_date,
    from compared
    left join metric_events on compared.metric = metric_events.metric
    where compared.app_quantity <> compared.orb_quantity

)

select
    days.customer_id,
    days.event_name,
    metric_events.metric,
    days.usage_date,
    coalesce(compared.app_quantity, {{ decimal_literal('0') }}) as app_quantity,
    coalesce(compared.orb_quantity, {{ decimal_literal('0') }}) as orb_quantity,
    tied_before.customer_id is not null as has_tied_before,
from days
inner join metric_events on days.event_name = metric_events.event_name
left join compared
    on
        days.customer_id = compared.customer_id
        and metric_events.metric = compared.metric
        and days.usage_date = compared.usage_date
left join tied_before
    on
        days.customer_id = tied_before.customer_id
        and metric_events.metric = tied_before.metric
        and days.usage_date = tied_before.usage_date
