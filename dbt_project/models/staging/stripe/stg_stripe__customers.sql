with source as (

    select * from {{ source('raw_stripe', 'customers') }}

),

fields as (

    {{ json_fields('source', {
        'app_customer_id': '$.metadata.app_customer_id',
        'customer_name': '$.name',
        'email': '$.email',
        'country': '$.address.country',
        'currency': '$.currency',
        'description': '$.description',
        'tax_exempt': '$.tax_exempt',
        'balance_amount': '$.balance',
        'is_delinquent': '$.delinquent',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as customer_id,
        app_customer_id,
        customer_name,
        email,
        country,
        upper(currency) as currency,
        description,
        tax_exempt,
        {{ minor_to_major('balance_amount', 'currency') }} as balance_amount,
        {{ to_boolean('is_delinquent') }} as is_delinquent,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
