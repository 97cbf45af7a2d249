with source as (

    select * from {{ source('raw_orb', 'credit_notes') }}

),

fields as (

    {{ json_fields('source', {
        'credit_note_number': '$.credit_note_number',
        'invoice_id': '$.invoice_id',
        'customer_id': '$.customer.id',
        'external_customer_id': '$.customer.external_customer_id',
        'credit_note_type': '$.type',
        'reason': '$.reason',
        'memo': '$.memo',
        'subtotal_amount': '$.subtotal',
        'total_amount': '$.total',
        'created_at': '$.created_at',
        'voided_at': '$.voided_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as credit_note_id,
        credit_note_number,
        invoice_id,
        customer_id,
        external_customer_id,
        credit_note_type,
        reason,
        memo,
        {{ to_decimal('subtotal_amount') }} as subtotal_amount,
        {{ to_decimal('total_amount') }} as total_amount,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('voided_at') }} as voided_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
