with source as (

    select * from {{ source('raw_stripe', 'invoice_payments') }}

),

fields as (

    {{ json_fields('source', {
        'invoice_id': '$.invoice',
        'payment_intent_id': '$.payment.payment_intent',
        'charge_id': '$.payment.charge',
        'payment_record_id': '$.payment.payment_record',
        'payment_type': '$.payment.type',
        'status': '$.status',
        'currency': '$.currency',
        'amount_requested': '$.amount_requested',
        'amount_paid': '$.amount_paid',
        'is_default': '$.is_default',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'paid_at': '$.status_transitions.paid_at',
        'canceled_at': '$.status_transitions.canceled_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as invoice_payment_id,
        invoice_id,
        payment_intent_id,
        charge_id,
        payment_record_id,
        payment_type,
        status,
        upper(currency) as currency,
        {{ minor_to_major('amount_requested', 'currency') }} as amount_requested,
        {{ minor_to_major('amount_paid', 'currency') }} as amount_paid,
        {{ to_boolean('is_default') }} as is_default,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('paid_at') }} as paid_at,
        {{ timestamp_from_unix('canceled_at') }} as canceled_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
