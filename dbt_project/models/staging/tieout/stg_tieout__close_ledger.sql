with source as (

    select * from {{ source('raw_tieout', 'close_ledger') }}

),

fields as (

    {{ json_fields('source', {
        'close_id': '$.close_id',
        'close_period': '$.close_period',
        'row_kind': '$.row_kind',
        'figure': '$.figure',
        'detail': '$.detail',
        'journal_line_id': '$.journal_line_id',
        'journal_entry_id': '$.journal_entry_id',
        'entry_kind': '$.entry_kind',
        'account_id': '$.account_id',
        'customer_id': '$.customer_id',
        'product_id': '$.product_id',
        'document_id': '$.document_id',
        'currency': '$.currency',
        'period': '$.period',
        'amount': '$.amount',
        'entry_date': '$.entry_date',
    }, keep=['object_id', 'payload_hash', 'batch_id', 'read_at']) }}

),

renamed as (

    select
        object_id as close_ledger_row_id,
        close_id,
        close_period,
        row_kind,
        figure,
        detail,
        journal_line_id,
        journal_entry_id,
        entry_kind,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        period,
        {{ to_decimal('amount') }} as amount,
        cast(entry_date as date) as entry_date,
        payload_hash,
        batch_id,
        read_at,
    from fields
    {{ known_at_as_of() }}

)

select * from renamed
