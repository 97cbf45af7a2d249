with source as (

    select * from {{ source('raw_app', 'customers') }}

),

fields as (

    {{ json_fields('source', {
        'orb_customer_id': '$.orb_customer_id',
        'stripe_customer_id': '$.stripe_customer_id',
        'customer_name': '$.name',
        'email': '$.email',
        'country': '$.country',
        'currency': '$.currency',
        'billing_model': '$.billing_model',
        'account_type': '$.account_type',
        'created_at': '$.created_at',
        'updated_at': '$.updated_at',
        'deleted_at': '$.deleted_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as customer_id,
        orb_customer_id,
        stripe_customer_id,
        customer_name,
        email,
        country,
        upper(currency) as currency,
        billing_model,
        account_type,
        is_deleted or deleted_at is not null as is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('updated_at') }} as updated_at,
        {{ timestamp_from_iso('deleted_at') }} as deleted_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
