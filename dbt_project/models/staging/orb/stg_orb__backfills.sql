with source as (

    select * from {{ source('raw_orb', 'backfills') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer_id',
        'status': '$.status',
        'deprecation_filter': '$.deprecation_filter',
        'events_ingested': '$.events_ingested',
        'is_replacing_existing_events': '$.replace_existing_events',
        'created_at': '$.created_at',
        'timeframe_start_at': '$.timeframe_start',
        'timeframe_end_at': '$.timeframe_end',
        'closed_at': '$.close_time',
        'reverted_at': '$.reverted_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as backfill_id,
        customer_id,
        status,
        deprecation_filter,
        {{ to_integer('events_ingested') }} as events_ingested,
        {{ to_boolean('is_replacing_existing_events') }} as is_replacing_existing_events,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('timeframe_start_at') }} as timeframe_start_at,
        {{ timestamp_from_iso('timeframe_end_at') }} as timeframe_end_at,
        {{ timestamp_from_iso('closed_at') }} as closed_at,
        {{ timestamp_from_iso('reverted_at') }} as reverted_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
