{{ config(materialized='incremental', on_schema_change='fail', **replacing_days('usage_date')) }}

with days as (

    {{ usage_days_to_build() }}

),

counted as (

    select
        {{ date_of('events.occurred_at') }} as usage_date,
        {{ truncate_timestamp('hour', 'events.occurred_at') }} as hour_at,
        count(*) as event_count,
    from {{ ref('int_usage__app_events') }} as events
    {{ within_days('events.occurred_at', 'days', usage_days_to_build()) }}
    group by {{ date_of('events.occurred_at') }}, {{ truncate_timestamp('hour', 'events.occurred_at') }}

)

select
    days.usage_date,
    counted.hour_at,
    coalesce(counted.event_count, 0) as event_count,
    days.landed_rows,
    '{{ code_version() }}' as code_version,
from days
left join counted on days.usage_date = counted.usage_date
