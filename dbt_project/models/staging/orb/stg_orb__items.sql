with source as (

    select * from {{ source('raw_orb', 'items') }}

),

fields as (

    {{ json_fields('source', {
        'product_code': '$.metadata.product_code',
        'item_name': '$.name',
        'created_at': '$.created_at',
        'archived_at': '$.archived_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as item_id,
        product_code,
        {{ json_array_find('payload', '$.external_connections', '$.external_connection_name', 'stripe', '$.external_entity_id') }} as stripe_product_id,
        item_name,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('archived_at') }} as archived_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
