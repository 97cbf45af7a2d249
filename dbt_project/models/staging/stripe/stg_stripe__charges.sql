with source as (

    select * from {{ source('raw_stripe', 'charges') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer',
        'payment_intent_id': '$.payment_intent',
        'invoice_id': '$.invoice',
        'balance_transaction_id': '$.balance_transaction',
        'failure_balance_transaction_id': '$.failure_balance_transaction',
        'app_customer_id': '$.metadata.app_customer_id',
        'wallet_transaction_id': '$.metadata.wallet_transaction_id',
        'purpose': '$.metadata.purpose',
        'status': '$.status',
        'payment_method_type': '$.payment_method_details.type',
        'description': '$.description',
        'failure_code': '$.failure_code',
        'currency': '$.currency',
        'amount': '$.amount',
        'amount_captured': '$.amount_captured',
        'amount_refunded': '$.amount_refunded',
        'is_paid': '$.paid',
        'is_captured': '$.captured',
        'is_refunded': '$.refunded',
        'is_disputed': '$.disputed',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as charge_id,
        customer_id,
        payment_intent_id,
        invoice_id,
        balance_transaction_id,
        failure_balance_transaction_id,
        app_customer_id,
        wallet_transaction_id,
        purpose,
        status,
        payment_method_type,
        description,
        failure_code,
        upper(currency) as currency,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ minor_to_major('amount_captured', 'currency') }} as amount_captured,
        {{ minor_to_major('amount_refunded', 'currency') }} as amount_refunded,
        {{ to_boolean('is_paid') }} as is_paid,
        {{ to_boolean('is_captured') }} as is_captured,
        {{ to_boolean('is_refunded') }} as is_refunded,
        {{ to_boolean('is_disputed') }} as is_disputed,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
