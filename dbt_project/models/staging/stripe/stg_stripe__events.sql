with source as (

    select * from {{ source('raw_stripe', 'events') }}

),

fields as (

    {{ json_fields('source', {
        'subject_id': '$.data.object.id',
        'request_id': '$.request.id',
        'idempotency_key': '$.request.idempotency_key',
        'event_type': '$.type',
        'subject_type': '$.data.object.object',
        'api_version': '$.api_version',
        'pending_webhooks': '$.pending_webhooks',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as event_id,
        subject_id,
        request_id,
        idempotency_key,
        event_type,
        subject_type,
        api_version,
        {{ to_integer('pending_webhooks') }} as pending_webhooks,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
