with source as (

    select * from {{ source('raw_stripe', 'payout_transactions') }}

),

fields as (

    {{ json_fields('source', {
        'balance_transaction_id': '$.id',
        'source_id': '$.source',
        'type': '$.type',
        'reporting_category': '$.reporting_category',
        'status': '$.status',
        'currency': '$.currency',
        'gross_amount': '$.amount',
        'fee_amount': '$.fee',
        'net_amount': '$.net',
        'created_at': '$.created',
        'available_at': '$.available_on',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as payout_transaction_id,
        parent_id as payout_id,
        balance_transaction_id,
        source_id,
        type,
        reporting_category,
        status,
        upper(currency) as currency,
        {{ minor_to_major('gross_amount', 'currency') }} as gross_amount,
        {{ minor_to_major('fee_amount', 'currency') }} as fee_amount,
        {{ minor_to_major('net_amount', 'currency') }} as net_amount,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('available_at') }} as available_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
