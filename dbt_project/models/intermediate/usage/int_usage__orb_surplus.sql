{{ config(materialized='table') }}

with looked_up as (

    select
        customer_id,
        metric,
        usage_date,
        {{ sum_decimal('quantity') }} as quantity,
    from {{ ref('int_usage__orb_events_by_metric') }}
    group by customer_id, metric, usage_date

),

surplus as (

    -- what Orb counts on a day beyond the product's events that it has: it can't be listed, only be told by its size
    select
        days.customer_id,
        days.event_name,
        days.metric,
        days.usage_date,
        {{ to_decimal("days.orb_quantity - coalesce(looked_up.quantity, 0)") }} as quantity,
        count(*) over (partition by days.customer_id, days.event_name, days.usage_date) as metrics,
    from {{ ref('int_usage__differing_days') }} as days
    left join looked_up
        on
            days.customer_id = looked_up.customer_id
            and days.metric = looked_up.metric
            and days.usage_date = looked_up.usage_date
    where days.orb_quantity <> coalesce(looked_up.quantity, 0)

),

alike as (

    -- one event of the product that is as large in every metric: the same use under another key
    select
        surplus.customer_id,
        surplus.event_name,
        surplus.usage_date,
        events.event_id,
        min(events.occurred_at) as occurred_at,
    from surplus
    inner join {{ ref('int_usage__app_events_by_metric') }} as events
        on
            surplus.customer_id = events.customer_id
            and surplus.metric = events.metric
            and surplus.usage_date = events.usage_date
            and surplus.quantity = events.quantity
    group by surplus.customer_id, surplus.event_name, surplus.usage_date, events.event_id, surplus.metrics
    having count(*) = surplus.metrics
    qualify row_number() over (
        partition by surplus.customer_id, surplus.event_name, surplus.usage_date
        order by events.event_id
    ) = 1

)

select
    concat(surplus.customer_id, '/', surplus.metric, '/', {{ iso_date('surplus.usage_date') }}, '/surplus') as surplus_id,
    surplus.customer_id,
    surplus.event_name,
    surplus.metric,
    surplus.usage_date,
    surplus.quantity,
    alike.event_id as like_event_id,
    alike.occurred_at as like_occurred_at,
from surplus
left join alike
    on
        surplus.customer_id = alike.customer_id
        and surplus.event_name = alike.event_name
        and surplus.usage_date = alike.usage_date
