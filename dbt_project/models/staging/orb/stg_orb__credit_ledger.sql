with source as (

    select * from {{ source('raw_orb', 'credit_ledger') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer.id',
        'external_customer_id': '$.customer.external_customer_id',
        'credit_block_id': '$.credit_block.id',
        'invoice_id': '$.invoice_id',
        'price_id': '$.price_id',
        'event_id': '$.event_id',
        'created_invoice_id': '$.created_invoices[0].id',
        'payment_intent_id': '$.metadata.payment_intent',
        'wallet_transaction_id': '$.metadata.wallet_transaction_id',
        'entry_type': '$.entry_type',
        'entry_status': '$.entry_status',
        'description': '$.description',
        'void_reason': '$.void_reason',
        'currency': '$.currency',
        'sequence_number': '$.ledger_sequence_number',
        'amount': '$.amount',
        'starting_balance': '$.starting_balance',
        'ending_balance': '$.ending_balance',
        'void_amount': '$.void_amount',
        'cost_basis': '$.credit_block.per_unit_cost_basis',
        'block_expires_at': '$.credit_block.expiry_date',
        'new_block_expires_at': '$.new_block_expiry_date',
        'created_at': '$.created_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as ledger_entry_id,
        customer_id,
        external_customer_id,
        credit_block_id,
        invoice_id,
        price_id,
        event_id,
        created_invoice_id,
        payment_intent_id,
        wallet_transaction_id,
        entry_type,
        entry_status,
        description,
        void_reason,
        upper(currency) as currency,
        {{ to_integer('sequence_number') }} as sequence_number,
        {{ to_decimal('amount') }} as amount,
        {{ to_decimal('starting_balance') }} as starting_balance,
        {{ to_decimal('ending_balance') }} as ending_balance,
        {{ to_decimal('void_amount') }} as void_amount,
        {{ to_big_decimal('cost_basis') }} as cost_basis,
        is_deleted,
        {{ timestamp_from_iso('block_expires_at') }} as block_expires_at,
        {{ timestamp_from_iso('new_block_expires_at') }} as new_block_expires_at,
        {{ timestamp_from_iso('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
