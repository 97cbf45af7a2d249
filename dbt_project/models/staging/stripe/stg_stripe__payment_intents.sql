with source as (

    select * from {{ source('raw_stripe', 'payment_intents') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer',
        'invoice_id': '$.invoice',
        'latest_charge_id': '$.latest_charge',
        'app_customer_id': '$.metadata.app_customer_id',
        'wallet_transaction_id': '$.metadata.wallet_transaction_id',
        'purpose': '$.metadata.purpose',
        'status': '$.status',
        'capture_method': '$.capture_method',
        'cancellation_reason': '$.cancellation_reason',
        'description': '$.description',
        'currency': '$.currency',
        'amount': '$.amount',
        'amount_received': '$.amount_received',
        'amount_capturable': '$.amount_capturable',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'canceled_at': '$.canceled_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as payment_intent_id,
        customer_id,
        invoice_id,
        latest_charge_id,
        app_customer_id,
        wallet_transaction_id,
        purpose,
        status,
        capture_method,
        cancellation_reason,
        description,
        upper(currency) as currency,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ minor_to_major('amount_received', 'currency') }} as amount_received,
        {{ minor_to_major('amount_capturable', 'currency') }} as amount_capturable,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('canceled_at') }} as canceled_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
