{{ config(materialized='incremental', on_schema_change='fail', **replacing_days('usage_date', cluster=['customer_id'])) }}

with days as (

    {{ usage_days_to_build() }}

),

measured as (

    select
        events.customer_id,
        events.event_name,
        events.model,
        {{ date_of('events.occurred_at') }} as usage_date,
        {{ sum_integer('events.input_tokens') }} as input_tokens,
        {{ sum_integer('events.output_tokens') }} as output_tokens,
        {{ sum_decimal('events.megapixels') }} as megapixels,
        {{ sum_decimal('events.video_seconds') }} as video_seconds,
        {{ sum_decimal('events.gpu_seconds') }} as gpu_seconds,
        count(*) as event_count,
        min(events.occurred_at) as first_occurred_at,
        max(events.occurred_at) as last_occurred_at,
    from {{ ref('int_usage__app_events') }} as events
    {{ within_days('events.occurred_at', 'days', usage_days_to_build()) }}
    group by events.customer_id, events.event_name, events.model, {{ date_of('events.occurred_at') }}

)

select
    measured.customer_id,
    measured.event_name,
    measured.model,
    days.usage_date,
    measured.input_tokens,
    measured.output_tokens,
    measured.megapixels,
    measured.video_seconds,
    measured.gpu_seconds,
    coalesce(measured.event_count, 0) as event_count,
    days.landed_rows,
    '{{ code_version() }}' as code_version,
    measured.first_occurred_at,
    measured.last_occurred_at,
from days
left join measured on days.usage_date = measured.usage_date
