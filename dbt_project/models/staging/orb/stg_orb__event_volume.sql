with source as (

    select * from {{ source('raw_orb', 'event_volume') }}

),

fields as (

    {{ json_fields('source', {
        'event_count': '$.count',
        'timeframe_start_at': '$.timeframe_start',
        'timeframe_end_at': '$.timeframe_end',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as event_volume_id,
        {{ to_integer('event_count') }} as event_count,
        is_deleted,
        {{ timestamp_from_iso('timeframe_start_at') }} as timeframe_start_at,
        {{ timestamp_from_iso('timeframe_end_at') }} as timeframe_end_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
