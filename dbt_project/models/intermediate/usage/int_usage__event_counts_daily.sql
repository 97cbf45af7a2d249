{{ config(materialized='table') }}

with app_hours as (

    select
        {{ truncate_timestamp('hour', 'occurred_at') }} as hour_at,
        count(*) as app_events,
    from {{ ref('stg_app__usage_events') }}
    group by {{ truncate_timestamp('hour', 'occurred_at') }}

),

orb_hours as (

    select
        timeframe_start_at as hour_at,
        event_count as orb_events,
    from {{ ref('stg_orb__event_volume') }}
    where not is_deleted

),

hours as (

    select
        coalesce(app_hours.hour_at, orb_hours.hour_at) as hour_at,
        coalesce(app_hours.app_events, 0) as app_events,
        coalesce(orb_hours.orb_events, 0) as orb_events,
    from app_hours
    full outer join orb_hours on app_hours.hour_at = orb_hours.hour_at

)

select
    {{ date_of('hour_at') }} as usage_date,
    {{ sum_integer('app_events') }} as app_events,
    {{ sum_integer('orb_events') }} as orb_events,
    {{ sum_integer('case when app_events > orb_events then app_events - orb_events else 0 end') }} as events_short_in_orb,
    {{ sum_integer('case when orb_events > app_events then orb_events - app_events else 0 end') }} as events_extra_in_orb,
from hours
group by {{ date_of('hour_at') }}
