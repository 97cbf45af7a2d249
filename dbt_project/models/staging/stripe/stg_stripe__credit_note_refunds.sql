with source as (

    select * from {{ source('raw_stripe', 'credit_notes') }}

),

credit_note_fields as (

    {{ json_fields('source', {
        'currency': '$.currency',
    }) }}

),

newest as (

    {{ newest_version('credit_note_fields') }}

),

elements as (

    select
        newest.object_id as credit_note_id,
        newest.currency,
        newest.is_deleted,
        newest.payload_hash,
        newest.batch_id,
        newest.read_at,
        refund,
    from newest
    {{ unnest_json_array('newest.payload', '$.refunds', 'refund', 'refund_offset') }}

),

fields as (

    {{ json_fields('elements', {
        'refund_id': '$.refund',
        'amount_refunded': '$.amount_refunded',
    }, document='refund', keep=[
        'credit_note_id', 'currency', 'is_deleted', 'payload_hash', 'batch_id', 'read_at',
    ]) }}

),

renamed as (

    select
        credit_note_id,
        refund_id,
        upper(currency) as currency,
        {{ minor_to_major('amount_refunded', 'currency') }} as amount_refunded,
        is_deleted,
        payload_hash,
        batch_id,
        read_at,
    from fields

)

select * from renamed
