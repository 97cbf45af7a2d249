with source as (

    select * from {{ source('raw_stripe', 'disputes') }}

),

fields as (

    {{ json_fields('source', {
        'charge_id': '$.charge',
        'payment_intent_id': '$.payment_intent',
        'status': '$.status',
        'reason': '$.reason',
        'network_reason_code': '$.payment_method_details.card.network_reason_code',
        'currency': '$.currency',
        'amount': '$.amount',
        'settlement_currency': '$.balance_transactions[0].currency',
        'is_charge_refundable': '$.is_charge_refundable',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'evidence_due_at': '$.evidence_details.due_by',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as dispute_id,
        charge_id,
        payment_intent_id,
        status,
        reason,
        network_reason_code,
        upper(currency) as currency,
        {{ minor_to_major('amount', 'currency') }} as amount,
        upper(settlement_currency) as settlement_currency,
        {% for stated, path in [('gross', '$.amount'), ('fee', '$.fee'), ('net', '$.net')] -%}
        {{ minor_to_major(json_array_sum('payload', '$.balance_transactions', path), 'settlement_currency') }} as booked_{{ stated }}_amount,
        {% endfor -%}
        {{ to_boolean('is_charge_refundable') }} as is_charge_refundable,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('evidence_due_at') }} as evidence_due_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
