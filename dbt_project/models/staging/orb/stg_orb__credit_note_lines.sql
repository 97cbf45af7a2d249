with source as (

    select * from {{ source('raw_orb', 'credit_notes') }}

),

credit_note_fields as (

    {{ json_fields('source', {
        'invoice_id': '$.invoice_id',
    }) }}

),

newest as (

    {{ newest_version('credit_note_fields') }}

),

elements as (

    select
        newest.object_id as credit_note_id,
        newest.invoice_id,
        newest.is_deleted,
        newest.payload_hash,
        newest.batch_id,
        newest.read_at,
        line,
    from newest
    {{ unnest_json_array('newest.payload', '$.line_items', 'line', 'line_offset') }}

),

fields as (

    {{ json_fields('elements', {
        'credit_note_line_id': '$.id',
        'item_id': '$.item_id',
        'line_name': '$.name',
        'subtotal_amount': '$.subtotal',
        'amount': '$.amount',
    }, document='line', keep=['credit_note_id', 'invoice_id', 'line', 'is_deleted', 'payload_hash', 'batch_id', 'read_at']) }}

),

renamed as (

    select
        credit_note_line_id,
        credit_note_id,
        invoice_id,
        item_id,
        line_name,
        {{ to_decimal('subtotal_amount') }} as subtotal_amount,
        {{ json_array_sum('line', '$.tax_amounts', '$.amount') }} as tax_amount,
        {{ to_decimal('amount') }} as amount,
        is_deleted,
        payload_hash,
        batch_id,
        read_at,
    from fields

)

select * from renamed
