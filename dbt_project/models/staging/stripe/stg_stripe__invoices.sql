with source as (

    select * from {{ source('raw_stripe', 'invoices') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer',
        'subscription_id': '$.parent.subscription_details.subscription',
        'subscription_id_before_2025': '$.subscription',
        'charge_id': '$.charge',
        'payment_intent_id': '$.payment_intent',
        'orb_invoice_id': '$.metadata.orb_invoice_id',
        'orb_invoice_number': '$.metadata.orb_invoice_number',
        'invoice_number': '$.number',
        'status': '$.status',
        'billing_reason': '$.billing_reason',
        'collection_method': '$.collection_method',
        'currency': '$.currency',
        'attempt_count': '$.attempt_count',
        'subtotal_amount': '$.subtotal',
        'subtotal_excluding_tax_amount': '$.subtotal_excluding_tax',
        'shipping_amount': '$.amount_shipping',
        'total_excluding_tax_amount': '$.total_excluding_tax',
        'total_amount': '$.total',
        'amount_due': '$.amount_due',
        'amount_paid': '$.amount_paid',
        'amount_remaining': '$.amount_remaining',
        'amount_overpaid': '$.amount_overpaid',
        'amount_paid_off_stripe': '$.amount_paid_off_stripe',
        'pre_payment_credit_notes_amount': '$.pre_payment_credit_notes_amount',
        'post_payment_credit_notes_amount': '$.post_payment_credit_notes_amount',
        'starting_balance_amount': '$.starting_balance',
        'ending_balance_amount': '$.ending_balance',
        'is_paid_out_of_band': '$.paid_out_of_band',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'effective_at': '$.effective_at',
        'due_at': '$.due_date',
        'period_start_at': '$.period_start',
        'period_end_at': '$.period_end',
        'finalized_at': '$.status_transitions.finalized_at',
        'paid_at': '$.status_transitions.paid_at',
        'marked_uncollectible_at': '$.status_transitions.marked_uncollectible_at',
        'voided_at': '$.status_transitions.voided_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as invoice_id,
        customer_id,
        coalesce(subscription_id, subscription_id_before_2025) as subscription_id,
        charge_id,
        payment_intent_id,
        orb_invoice_id,
        orb_invoice_number,
        invoice_number,
        status,
        billing_reason,
        collection_method,
        upper(currency) as currency,
        {{ to_integer('attempt_count') }} as attempt_count,
        {{ minor_to_major('subtotal_amount', 'currency') }} as subtotal_amount,
        {{ minor_to_major('subtotal_excluding_tax_amount', 'currency') }} as subtotal_excluding_tax_amount,
        {{ minor_to_major(json_array_sum('payload', '$.total_discount_amounts', '$.amount'), 'currency') }} as discount_amount,
        {{ minor_to_major('shipping_amount', 'currency') }} as shipping_amount,
        {{ minor_to_major('total_excluding_tax_amount', 'currency') }} as total_excluding_tax_amount,
        case
            when {{ json_document('payload', '$.total_taxes') }} is not null
                then {{ minor_to_major(json_array_sum('payload', '$.total_taxes', '$.amount'), 'currency') }}
        end as stated_tax_amount,
        {{ minor_to_major('total_amount', 'currency') }} - {{ minor_to_major('total_excluding_tax_amount', 'currency') }} as tax_amount,
        {{ minor_to_major('total_amount', 'currency') }} as total_amount,
        {{ minor_to_major('amount_due', 'currency') }} as amount_due,
        {{ minor_to_major('amount_paid', 'currency') }} as amount_paid,
        {{ minor_to_major('amount_remaining', 'currency') }} as amount_remaining,
        {{ minor_to_major('amount_overpaid', 'currency') }} as amount_overpaid,
        {{ minor_to_major('amount_paid_off_stripe', 'currency') }} as amount_paid_off_stripe,
        {{ minor_to_major('pre_payment_credit_notes_amount', 'currency') }} as pre_payment_credit_notes_amount,
        {{ minor_to_major('post_payment_credit_notes_amount', 'currency') }} as post_payment_credit_notes_amount,
        {{ minor_to_major('starting_balance_amount', 'currency') }} as starting_balance_amount,
        {{ minor_to_major('ending_balance_amount', 'currency') }} as ending_balance_amount,
        {{ to_boolean('is_paid_out_of_band') }} as is_paid_out_of_band,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('effective_at') }} as effective_at,
        {{ timestamp_from_unix('due_at') }} as due_at,
        {{ timestamp_from_unix('period_start_at') }} as period_start_at,
        {{ timestamp_from_unix('period_end_at') }} as period_end_at,
        {{ timestamp_from_unix('finalized_at') }} as finalized_at,
        {{ timestamp_from_unix('paid_at') }} as paid_at,
        {{ timestamp_from_unix('marked_uncollectible_at') }} as marked_uncollectible_at,
        {{ timestamp_from_unix('voided_at') }} as voided_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
