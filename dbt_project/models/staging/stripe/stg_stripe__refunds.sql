with source as (

    select * from {{ source('raw_stripe', 'refunds') }}

),

fields as (

    {{ json_fields('source', {
        'charge_id': '$.charge',
        'payment_intent_id': '$.payment_intent',
        'balance_transaction_id': '$.balance_transaction',
        'failure_balance_transaction_id': '$.failure_balance_transaction',
        'status': '$.status',
        'reason': '$.reason',
        'failure_reason': '$.failure_reason',
        'currency': '$.currency',
        'amount': '$.amount',
        'created_at': '$.created',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as refund_id,
        charge_id,
        payment_intent_id,
        balance_transaction_id,
        failure_balance_transaction_id,
        status,
        reason,
        failure_reason,
        upper(currency) as currency,
        {{ minor_to_major('amount', 'currency') }} as amount,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
