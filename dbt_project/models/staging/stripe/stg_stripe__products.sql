with source as (

    select * from {{ source('raw_stripe', 'products') }}

),

fields as (

    {{ json_fields('source', {
        'default_price_id': '$.default_price',
        'product_code': '$.metadata.product_code',
        'product_name': '$.name',
        'product_type': '$.type',
        'description': '$.description',
        'unit_label': '$.unit_label',
        'is_active': '$.active',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'updated_at': '$.updated',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as product_id,
        default_price_id,
        product_code,
        product_name,
        product_type,
        description,
        unit_label,
        {{ to_boolean('is_active') }} as is_active,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('updated_at') }} as updated_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
