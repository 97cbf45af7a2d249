{{ config(materialized='table') }}

with app_hours as (

    select
        hour_at,
        event_count as app_events,
    from {{ ref('int_usage__app_hourly') }}
    where hour_at is not null

),

orb_hours as (

    select
        timeframe_start_at as hour_at,
        event_count as orb_events,
    from {{ ref('stg_orb__event_volume') }}
    where not is_deleted

)

select
    {{ date_of('coalesce(app_hours.hour_at, orb_hours.hour_at)') }} as usage_date,
    coalesce(app_hours.hour_at, orb_hours.hour_at) as hour_at,
    coalesce(app_hours.app_events, 0) as app_events,
    coalesce(orb_hours.orb_events, 0) as orb_events,
from app_hours
full outer join orb_hours on app_hours.hour_at = orb_hours.hour_at
