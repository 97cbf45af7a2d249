with source as (

    select * from {{ source('raw_orb', 'invoices') }}

),

invoice_fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer.id',
        'external_customer_id': '$.customer.external_customer_id',
        'subscription_id': '$.subscription.id',
        'currency': '$.currency',
    }) }}

),

newest as (

    {{ newest_version('invoice_fields') }}

),

elements as (

    select
        newest.object_id as invoice_id,
        newest.customer_id,
        newest.external_customer_id,
        newest.subscription_id,
        newest.currency,
        newest.is_deleted,
        newest.payload_hash,
        newest.batch_id,
        newest.read_at,
        line,
        line_offset,
    from newest
    {{ unnest_json_array('newest.payload', '$.line_items', 'line', 'line_offset') }}

),

fields as (

    {{ json_fields('elements', {
        'invoice_line_id': '$.id',
        'price_id': '$.price.id',
        'item_id': '$.price.item.id',
        'billable_metric_id': '$.price.billable_metric.id',
        'line_name': '$.name',
        'model_type': '$.price.model_type',
        'price_type': '$.price.price_type',
        'fixed_price_quantity': '$.price.fixed_price_quantity',
        'grouping_value': '$.grouping',
        'quantity': '$.quantity',
        'subtotal_amount': '$.subtotal',
        'adjusted_subtotal_amount': '$.adjusted_subtotal',
        'credits_applied_amount': '$.credits_applied',
        'partially_invoiced_amount': '$.partially_invoiced_amount',
        'amount': '$.amount',
        'period_start_at': '$.start_date',
        'period_end_at': '$.end_date',
    }, document='line', keep=[
        'invoice_id', 'customer_id', 'external_customer_id', 'subscription_id', 'currency', 'line', 'line_offset',
        'is_deleted', 'payload_hash', 'batch_id', 'read_at',
    ]) }}

),

renamed as (

    select
        invoice_line_id,
        invoice_id,
        customer_id,
        external_customer_id,
        subscription_id,
        price_id,
        item_id,
        billable_metric_id,
        line_name,
        model_type,
        price_type,
        grouping_value,
        upper(currency) as currency,
        line_offset + 1 as line_no,
        {{ orb_price_config('line', '$.price') }} as price_config,
        {{ json_document('line', '$.sub_line_items') }} as sub_line_items,
        {{ json_document('line', '$.adjustments') }} as adjustments,
        {{ json_document('line', '$.tax_amounts') }} as tax_amounts,
        {{ to_big_decimal('fixed_price_quantity') }} as fixed_price_quantity,
        {{ to_big_decimal('quantity') }} as quantity,
        {{ to_decimal('subtotal_amount') }} as subtotal_amount,
        {{ json_array_sum('line', '$.adjustments', '$.amount', '$.adjustment_type', ['usage_discount']) }} as usage_discount_amount,
        {{ json_array_sum('line', '$.adjustments', '$.amount', '$.adjustment_type', ['amount_discount']) }} as amount_discount_amount,
        {{ json_array_sum(
            'line', '$.adjustments', '$.amount', '$.adjustment_type', ['percentage_discount', 'tiered_percentage_discount']
        ) }} as percentage_discount_amount,
        {{ json_array_sum('line', '$.adjustments', '$.amount', '$.adjustment_type', ['minimum']) }} as minimum_adjustment_amount,
        {{ json_array_sum('line', '$.adjustments', '$.amount', '$.adjustment_type', ['maximum']) }} as maximum_adjustment_amount,
        {{ to_decimal('adjusted_subtotal_amount') }} as adjusted_subtotal_amount,
        {{ to_decimal('credits_applied_amount') }} as credits_applied_amount,
        {{ to_decimal('partially_invoiced_amount') }} as partially_invoiced_amount,
        {{ json_array_sum('line', '$.tax_amounts', '$.amount') }} as tax_amount,
        {{ to_decimal('amount') }} as amount,
        is_deleted,
        {{ timestamp_from_iso('period_start_at') }} as period_start_at,
        {{ timestamp_from_iso('period_end_at') }} as period_end_at,
        payload_hash,
        batch_id,
        read_at,
    from fields

)

select * from renamed
