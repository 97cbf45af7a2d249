{{ config(materialized='table') }}

with app_events as (

    select * from {{ ref('int_usage__app_events_by_metric') }}

),

orb_events as (

    select * from {{ ref('int_usage__orb_events_by_metric') }}

),

looked_up as (

    select
        customer_id,
        metric,
        usage_date,
        {{ sum_decimal('quantity') }} as quantity,
    from orb_events
    group by customer_id, metric, usage_date

),

surplus as (

    -- what Orb counts on a day beyond the product's events that it finds: it can't be listed, only be told by its size
    select
        days.customer_id,
        days.event_name,
        days.metric,
        days.usage_date,
        days.has_tied_before,
        {{ to_decimal('days.orb_quantity - coalesce(looked_up.quantity, 0)') }} as quantity,
        count(*) over (partition by days.customer_id, days.event_name, days.usage_date) as metrics,
    from {{ ref('int_usage__differing_days') }} as days
    left join looked_up
        on
            days.customer_id = looked_up.customer_id
            and days.metric = looked_up.metric
            and days.usage_date = looked_up.usage_date
    where days.orb_quantity <> coalesce(looked_up.quantity, 0)

),

absent as (

    select distinct
        app_events.customer_id,
        app_events.event_name,
        app_events.usage_date,
        app_events.event_id,
        {{ truncate_timestamp('hour', 'app_events.occurred_at') }} as hour_at,
    from app_events
    left join orb_events on app_events.event_metric_id = orb_events.event_metric_id
    where orb_events.event_metric_id is null

),

absent_by_hour as (

    select
        hour_at,
        count(*) as events,
    from absent
    group by hour_at

),

absent_alone as (

    select
        customer_id,
        event_name,
        usage_date,
        max(event_id) as event_id,
        max(hour_at) as hour_at,
    from absent
    group by customer_id, event_name, usage_date
    having count(*) = 1

),

amended as (

    -- a search does not find an amended event: it is one whose day has something in its place, and whose hour counts it
    select
        absent_alone.customer_id,
        absent_alone.event_name,
        absent_alone.usage_date,
        absent_alone.event_id,
    from absent_alone
    inner join absent_by_hour on absent_alone.hour_at = absent_by_hour.hour_at
    inner join {{ ref('int_usage__event_counts_hourly') }} as counts on absent_alone.hour_at = cast(counts.hour_at as timestamp)
    where absent_by_hour.events > counts.app_events - counts.orb_events

),

alike as (

    -- one event of the product that is as large in every metric: the same use under another key
    select
        surplus.customer_id,
        surplus.event_name,
        surplus.usage_date,
        app_events.event_id,
    from surplus
    inner join app_events
        on
            surplus.customer_id = app_events.customer_id
            and surplus.metric = app_events.metric
            and surplus.usage_date = app_events.usage_date
            and surplus.quantity = app_events.quantity
    group by surplus.customer_id, surplus.event_name, surplus.usage_date, app_events.event_id, surplus.metrics
    having count(*) = surplus.metrics
    qualify row_number() over (
        partition by surplus.customer_id, surplus.event_name, surplus.usage_date
        order by app_events.event_id
    ) = 1

)

select
    concat(
        surplus.customer_id, '/', surplus.metric, '/', {{ iso_date('surplus.usage_date') }}, '/', coalesce(amended.event_id, 'surplus')
    ) as surplus_id,
    surplus.customer_id,
    surplus.event_name,
    surplus.metric,
    surplus.usage_date,
    surplus.quantity,
    amended.event_id as amended_event_id,
    case when amended.event_id is null then alike.event_id end as like_event_id,
    surplus.has_tied_before,
from surplus
left join amended
    on
        surplus.customer_id = amended.customer_id
        and surplus.event_name = amended.event_name
        and surplus.usage_date = amended.usage_date
left join alike
    on
        surplus.customer_id = alike.customer_id
        and surplus.event_name = alike.event_name
        and surplus.usage_date = alike.usage_date
