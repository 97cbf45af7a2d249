with source as (

    select * from {{ source('raw_orb', 'invoices') }}

),

invoice_fields as (

    {{ json_fields('source', {
        'currency': '$.currency',
    }) }}

),

newest as (

    {{ newest_version('invoice_fields') }}

),

elements as (

    select
        newest.object_id as invoice_id,
        newest.currency,
        newest.is_deleted,
        newest.payload_hash,
        newest.batch_id,
        newest.read_at,
        attempt,
    from newest
    {{ unnest_json_array('newest.payload', '$.payment_attempts', 'attempt', 'attempt_offset') }}

),

fields as (

    {{ json_fields('elements', {
        'payment_attempt_id': '$.id',
        'payment_provider': '$.payment_provider',
        'payment_provider_id': '$.payment_provider_id',
        'amount': '$.amount',
        'is_succeeded': '$.succeeded',
        'created_at': '$.created_at',
    }, document='attempt', keep=[
        'invoice_id', 'currency', 'is_deleted', 'payload_hash', 'batch_id', 'read_at',
    ]) }}

),

renamed as (

    select
        payment_attempt_id,
        invoice_id,
        payment_provider,
        payment_provider_id,
        upper(currency) as currency,
        {{ to_decimal('amount') }} as amount,
        {{ to_boolean('is_succeeded') }} as is_succeeded,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from fields

)

select * from renamed
