with source as (

    select * from {{ source('raw_stripe', 'prices') }}

),

fields as (

    {{ json_fields('source', {
        'product_id': '$.product',
        'lookup_key': '$.lookup_key',
        'nickname': '$.nickname',
        'price_type': '$.type',
        'billing_scheme': '$.billing_scheme',
        'tiers_mode': '$.tiers_mode',
        'recurring_interval': '$.recurring.interval',
        'recurring_interval_count': '$.recurring.interval_count',
        'usage_type': '$.recurring.usage_type',
        'currency': '$.currency',
        'unit_amount': '$.unit_amount_decimal',
        'is_active': '$.active',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as price_id,
        product_id,
        lookup_key,
        nickname,
        price_type,
        billing_scheme,
        tiers_mode,
        recurring_interval,
        {{ to_integer('recurring_interval_count') }} as recurring_interval_count,
        usage_type,
        upper(currency) as currency,
        {{ minor_to_major_price('unit_amount', 'currency') }} as unit_amount,
        {{ to_boolean('is_active') }} as is_active,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
