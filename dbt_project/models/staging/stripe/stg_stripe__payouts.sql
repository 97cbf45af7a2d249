with source as (

    select * from {{ source('raw_stripe', 'payouts') }}

),

fields as (

    {{ json_fields('source', {
        'balance_transaction_id': '$.balance_transaction',
        'failure_balance_transaction_id': '$.failure_balance_transaction',
        'destination_id': '$.destination',
        'original_payout_id': '$.original_payout',
        'reversed_by_payout_id': '$.reversed_by',
        'trace_id': '$.trace_id.value',
        'trace_status': '$.trace_id.status',
        'status': '$.status',
        'payout_type': '$.type',
        'method': '$.method',
        'source_type': '$.source_type',
        'reconciliation_status': '$.reconciliation_status',
        'description': '$.description',
        'statement_descriptor': '$.statement_descriptor',
        'failure_code': '$.failure_code',
        'failure_message': '$.failure_message',
        'currency': '$.currency',
        'amount': '$.amount',
        'is_automatic': '$.automatic',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'arrival_at': '$.arrival_date',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as payout_id,
        balance_transaction_id,
        failure_balance_transaction_id,
        destination_id,
        original_payout_id,
        reversed_by_payout_id,
        trace_id,
        trace_status,
        status,
        payout_type,
        method,
        source_type,
        reconciliation_status,
        description,
        statement_descriptor,
        failure_code,
        failure_message,
        upper(currency) as currency,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ to_boolean('is_automatic') }} as is_automatic,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ date_of(timestamp_from_unix('arrival_at')) }} as arrival_date,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('arrival_at') }} as arrival_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
