{{ config(materialized='table') }}

{#- only the days that differ: the cost of the drill-down follows the differences -#}
select
    events.event_id,
    events.customer_id,
    events.event_name,
    {{ date_of('events.occurred_at') }} as usage_date,
    events.input_tokens,
    events.output_tokens,
    events.megapixels,
    events.video_seconds,
    events.gpu_seconds,
    events.batch_id,
    events.occurred_at,
    events.recorded_at,
from {{ ref('stg_app__usage_events') }} as events
inner join (
    select distinct
        customer_id,
        event_name,
        usage_date
    from {{ ref('int_usage__differing_days') }}
) as days
    on
        events.customer_id = days.customer_id
        and events.event_name = days.event_name
        and {{ date_of('events.occurred_at') }} = days.usage_date
