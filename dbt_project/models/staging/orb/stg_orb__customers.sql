with source as (

    select * from {{ source('raw_orb', 'customers') }}

),

fields as (

    {{ json_fields('source', {
        'external_customer_id': '$.external_customer_id',
        'payment_provider': '$.payment_provider',
        'payment_provider_id': '$.payment_provider_id',
        'customer_name': '$.name',
        'email': '$.email',
        'country': '$.billing_address.country',
        'timezone': '$.timezone',
        'currency': '$.currency',
        'balance_amount': '$.balance',
        'is_auto_collection': '$.auto_collection',
        'created_at': '$.created_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as customer_id,
        external_customer_id,
        payment_provider,
        payment_provider_id,
        customer_name,
        email,
        country,
        timezone,
        upper(currency) as currency,
        {{ to_decimal('balance_amount') }} as balance_amount,
        {{ to_boolean('is_auto_collection') }} as is_auto_collection,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
