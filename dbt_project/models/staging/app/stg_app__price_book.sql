with source as (

    select * from {{ source('raw_app', 'price_book') }}

),

fields as (

    {{ json_fields('source', {
        'product_code': '$.product_code',
        'metric_code': '$.metric_code',
        'orb_price_id': '$.orb_price_id',
        'product_name': '$.product_name',
        'unit': '$.unit',
        'price_model': '$.price_model',
        'currency': '$.currency',
        'effective_from': '$.effective_from',
        'effective_to': '$.effective_to',
        'updated_at': '$.updated_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as price_book_id,
        product_code,
        metric_code,
        orb_price_id,
        product_name,
        unit,
        price_model,
        upper(currency) as currency,
        {{ json_document('payload', '$.config') }} as price_config,
        is_deleted,
        {{ to_date('effective_from') }} as effective_from,
        {{ to_date('effective_to') }} as effective_to,
        {{ timestamp_from_iso('updated_at') }} as updated_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
