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
        line,
    from newest
    {{ unnest_json_array('newest.payload', '$.lines.data', 'line', 'line_offset') }}

),

fields as (

    {{ json_fields('elements', {
        'credit_note_line_id': '$.id',
        'description': '$.description',
        'discount_amount': '$.discount_amount',
        'amount': '$.amount',
    }, document='line', keep=['credit_note_id', 'currency', 'line', 'is_deleted', 'payload_hash', 'batch_id', 'read_at']) }}

),

renamed as (

    select
        credit_note_line_id,
        credit_note_id,
        description,
        upper(currency) as currency,
        {{ minor_to_major('discount_amount', 'currency') }} as discount_amount,
        {{ minor_to_major(json_array_sum('line', '$.taxes', '$.amount'), 'currency') }} as tax_amount,
        {{ minor_to_major('amount', 'currency') }} as amount,
        is_deleted,
        payload_hash,
        batch_id,
        read_at,
    from fields

)

select * from renamed
