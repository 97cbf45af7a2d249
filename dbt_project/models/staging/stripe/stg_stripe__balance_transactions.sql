with source as (

    select * from {{ source('raw_stripe', 'balance_transactions') }}

),

fields as (

    {{ json_fields('source', {
        'source_id': '$.source',
        'type': '$.type',
        'reporting_category': '$.reporting_category',
        'balance_type': '$.balance_type',
        'status': '$.status',
        'description': '$.description',
        'currency': '$.currency',
        'exchange_rate': '$.exchange_rate',
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
        object_id as balance_transaction_id,
        source_id,
        type,
        reporting_category,
        balance_type,
        status,
        description,
        upper(currency) as currency,
        {{ to_big_decimal('exchange_rate') }} as exchange_rate,
        {{ minor_to_major('gross_amount', 'currency') }} as gross_amount,
        {{ minor_to_major('fee_amount', 'currency') }} as fee_amount,
        {{ minor_to_major('net_amount', 'currency') }} as net_amount,
        {{ minor_to_major(json_array_sum('payload', '$.fee_details', '$.amount'), 'currency') }} as listed_fee_amount,
        {{ json_array_length('payload', '$.fee_details') }} as fee_count,
        upper({{ json_text('payload', '$.fee_details[0].currency') }}) as fee_currency,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('available_at') }} as available_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
