with source as (

    select * from {{ source('raw_stripe', 'credit_notes') }}

),

fields as (

    {{ json_fields('source', {
        'invoice_id': '$.invoice',
        'customer_id': '$.customer',
        'customer_balance_transaction_id': '$.customer_balance_transaction',
        'refund_id': '$.refunds[0].refund',
        'refund_id_before_2025': '$.refund',
        'orb_credit_note_id': '$.metadata.orb_credit_note_id',
        'credit_note_number': '$.number',
        'credit_note_type': '$.type',
        'status': '$.status',
        'reason': '$.reason',
        'memo': '$.memo',
        'currency': '$.currency',
        'subtotal_amount': '$.subtotal',
        'subtotal_excluding_tax_amount': '$.subtotal_excluding_tax',
        'shipping_amount': '$.amount_shipping',
        'discount_amount': '$.discount_amount',
        'total_excluding_tax_amount': '$.total_excluding_tax',
        'total_amount': '$.total',
        'amount': '$.amount',
        'pre_payment_amount': '$.pre_payment_amount',
        'post_payment_amount': '$.post_payment_amount',
        'out_of_band_amount': '$.out_of_band_amount',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'effective_at': '$.effective_at',
        'voided_at': '$.voided_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as credit_note_id,
        invoice_id,
        customer_id,
        customer_balance_transaction_id,
        coalesce(refund_id, refund_id_before_2025) as refund_id,
        orb_credit_note_id,
        credit_note_number,
        credit_note_type,
        status,
        reason,
        memo,
        upper(currency) as currency,
        {{ json_array_length('payload', '$.refunds') }} as refund_count,
        {{ minor_to_major('subtotal_amount', 'currency') }} as subtotal_amount,
        {{ minor_to_major('subtotal_excluding_tax_amount', 'currency') }} as subtotal_excluding_tax_amount,
        {{ minor_to_major('shipping_amount', 'currency') }} as shipping_amount,
        {{ minor_to_major('discount_amount', 'currency') }} as discount_amount,
        case
            when {{ json_document('payload', '$.total_taxes') }} is not null
                then {{ minor_to_major(json_array_sum('payload', '$.total_taxes', '$.amount'), 'currency') }}
        end as stated_tax_amount,
        {{ minor_to_major('total_excluding_tax_amount', 'currency') }} as total_excluding_tax_amount,
        {{ minor_to_major('total_amount', 'currency') }} - {{ minor_to_major('total_excluding_tax_amount', 'currency') }} as tax_amount,
        {{ minor_to_major('total_amount', 'currency') }} as total_amount,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ minor_to_major('pre_payment_amount', 'currency') }} as pre_payment_amount,
        {{ minor_to_major('post_payment_amount', 'currency') }} as post_payment_amount,
        {{ minor_to_major('out_of_band_amount', 'currency') }} as out_of_band_amount,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('effective_at') }} as effective_at,
        {{ timestamp_from_unix('voided_at') }} as voided_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
