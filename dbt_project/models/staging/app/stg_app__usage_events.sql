{{ config(materialized='view') }}

with source as (

    select * from {{ source('raw_app', 'usage_events') }}
    {{ known_at_as_of('occurred_at') }}

),

renamed as (

    select
        event_id,
        customer_id,
        event_name,
        model,
        input_tokens,
        output_tokens,
        {{ to_decimal('megapixels') }} as megapixels,
        {{ to_decimal('video_seconds') }} as video_seconds,
        {{ to_decimal('gpu_seconds') }} as gpu_seconds,
        occurred_at,
        recorded_at,
        batch_id,
        read_at,
    from source

)

select * from renamed
