with source as (

    select * from {{ source('raw_stripe', 'invoice_lines') }}

),

fields as (

    {{ json_fields('source', {
        'invoice_item_id': '$.parent.invoice_item_details.invoice_item',
        'subscription_invoice_item_id': '$.parent.subscription_item_details.invoice_item',
        'invoice_item_id_before_2025': '$.invoice_item',
        'subscription_id': '$.parent.subscription_item_details.subscription',
        'invoice_item_subscription_id': '$.parent.invoice_item_details.subscription',
        'subscription_id_before_2025': '$.subscription',
        'subscription_item_id': '$.parent.subscription_item_details.subscription_item',
        'subscription_item_id_before_2025': '$.subscription_item',
        'price_id': '$.pricing.price_details.price',
        'price_id_before_2025': '$.price.id',
        'product_id': '$.pricing.price_details.product',
        'product_id_before_2025': '$.price.product',
        'line_type': '$.parent.type',
        'line_type_before_2025': '$.type',
        'description': '$.description',
        'currency': '$.currency',
        'quantity_decimal': '$.quantity_decimal',
        'quantity': '$.quantity',
        'unit_amount': '$.pricing.unit_amount_decimal',
        'unit_amount_before_2025': '$.unit_amount_excluding_tax',
        'subtotal_amount': '$.subtotal',
        'amount': '$.amount',
        'is_discountable': '$.discountable',
        'is_livemode': '$.livemode',
        'period_start_at': '$.period.start',
        'period_end_at': '$.period.end',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as invoice_line_id,
        parent_id as invoice_id,
        coalesce(invoice_item_id, subscription_invoice_item_id, invoice_item_id_before_2025) as invoice_item_id,
        coalesce(subscription_id, invoice_item_subscription_id, subscription_id_before_2025) as subscription_id,
        coalesce(subscription_item_id, subscription_item_id_before_2025) as subscription_item_id,
        coalesce(price_id, price_id_before_2025) as price_id,
        coalesce(product_id, product_id_before_2025) as product_id,
        coalesce(line_type, line_type_before_2025) as line_type,
        description,
        upper(currency) as currency,
        {{ to_big_decimal('coalesce(quantity_decimal, quantity)') }} as quantity,
        {{ minor_to_major_price('coalesce(unit_amount, unit_amount_before_2025)', 'currency') }} as unit_amount,
        {{ minor_to_major('subtotal_amount', 'currency') }} as subtotal_amount,
        {{ minor_to_major(json_array_sum('payload', '$.taxes', '$.amount'), 'currency') }} as tax_amount,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ to_boolean('is_discountable') }} as is_discountable,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('period_start_at') }} as period_start_at,
        {{ timestamp_from_unix('period_end_at') }} as period_end_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
