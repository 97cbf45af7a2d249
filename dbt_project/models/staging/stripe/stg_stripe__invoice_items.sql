with source as (

    select * from {{ source('raw_stripe', 'invoice_items') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer',
        'invoice_id': '$.invoice',
        'subscription_id': '$.parent.subscription_details.subscription',
        'subscription_id_before_2025': '$.subscription',
        'price_id': '$.pricing.price_details.price',
        'price_id_before_2025': '$.price.id',
        'product_id': '$.pricing.price_details.product',
        'product_id_before_2025': '$.price.product',
        'description': '$.description',
        'currency': '$.currency',
        'quantity_decimal': '$.quantity_decimal',
        'quantity': '$.quantity',
        'unit_amount': '$.pricing.unit_amount_decimal',
        'unit_amount_before_2025': '$.unit_amount_decimal',
        'amount': '$.amount',
        'net_amount': '$.net_amount',
        'is_proration': '$.proration',
        'is_discountable': '$.discountable',
        'is_livemode': '$.livemode',
        'dated_at': '$.date',
        'period_start_at': '$.period.start',
        'period_end_at': '$.period.end',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as invoice_item_id,
        customer_id,
        invoice_id,
        coalesce(subscription_id, subscription_id_before_2025) as subscription_id,
        coalesce(price_id, price_id_before_2025) as price_id,
        coalesce(product_id, product_id_before_2025) as product_id,
        description,
        upper(currency) as currency,
        {{ to_big_decimal('coalesce(quantity_decimal, quantity)') }} as quantity,
        {{ minor_to_major_price('coalesce(unit_amount, unit_amount_before_2025)', 'currency') }} as unit_amount,
        {{ minor_to_major('amount', 'currency') }} as amount,
        {{ minor_to_major('net_amount', 'currency') }} as net_amount,
        {{ to_boolean('is_proration') }} as is_proration,
        {{ to_boolean('is_discountable') }} as is_discountable,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('dated_at') }} as dated_at,
        {{ timestamp_from_unix('period_start_at') }} as period_start_at,
        {{ timestamp_from_unix('period_end_at') }} as period_end_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
