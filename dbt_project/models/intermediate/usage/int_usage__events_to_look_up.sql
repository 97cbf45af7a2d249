{{ config(materialized='table') }}

with days as (

    -- only what differs: the cost of the drill-down follows the differences
    select distinct
        customer_id,
        event_name,
        usage_date,
    from {{ ref('int_usage__differing_days') }}

)

select
    events.event_id,
    events.customer_id,
    events.event_name,
    days.usage_date,
    events.input_tokens,
    events.output_tokens,
    events.megapixels,
    events.video_seconds,
    events.gpu_seconds,
    events.batch_id,
    events.occurred_at,
    events.recorded_at,
from {{ ref('int_usage__app_events') }} as events
{{ within_days('events.occurred_at', 'days', 'select usage_date from ' ~ ref('int_usage__differing_days')) }}
where events.customer_id = days.customer_id and events.event_name = days.event_name
