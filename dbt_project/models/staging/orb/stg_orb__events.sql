with source as (

    select * from {{ source('raw_orb', 'events') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer_id',
        'external_customer_id': '$.external_customer_id',
        'event_name': '$.event_name',
        'model': '$.properties.model',
        'input_tokens': '$.properties.input_tokens',
        'output_tokens': '$.properties.output_tokens',
        'megapixels': '$.properties.megapixels',
        'video_seconds': '$.properties.video_seconds',
        'gpu_seconds': '$.properties.gpu_seconds',
        'is_deprecated': '$.deprecated',
        'occurred_at': '$.timestamp',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as event_id,
        customer_id,
        external_customer_id,
        event_name,
        model,
        {{ json_document('payload', '$.properties') }} as properties,
        {{ to_integer('input_tokens') }} as input_tokens,
        {{ to_integer('output_tokens') }} as output_tokens,
        {{ to_big_decimal('megapixels') }} as megapixels,
        {{ to_big_decimal('video_seconds') }} as video_seconds,
        {{ to_big_decimal('gpu_seconds') }} as gpu_seconds,
        {{ to_boolean('is_deprecated') }} as is_deprecated,
        is_deleted,
        {{ timestamp_from_iso('occurred_at') }} as occurred_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
