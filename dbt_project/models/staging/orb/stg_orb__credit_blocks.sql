with source as (

    select * from {{ source('raw_orb', 'credit_blocks') }}

),

fields as (

    {{ json_fields('source', {
        'credit_block_source': '$.credit_block_source',
        'status': '$.status',
        'payment_intent_id': '$.metadata.payment_intent',
        'wallet_transaction_id': '$.metadata.wallet_transaction_id',
        'balance': '$.balance',
        'maximum_initial_balance': '$.maximum_initial_balance',
        'cost_basis': '$.per_unit_cost_basis',
        'effective_at': '$.effective_date',
        'expires_at': '$.expiry_date',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as credit_block_id,
        parent_id as customer_id,
        credit_block_source,
        status,
        payment_intent_id,
        wallet_transaction_id,
        {{ to_decimal('balance') }} as balance,
        {{ to_decimal('maximum_initial_balance') }} as maximum_initial_balance,
        {{ to_big_decimal('cost_basis') }} as cost_basis,
        {{ json_array_length('payload', '$.filters') }} > 0 as is_filtered,
        is_deleted,
        {{ timestamp_from_iso('effective_at') }} as effective_at,
        {{ timestamp_from_iso('expires_at') }} as expires_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
