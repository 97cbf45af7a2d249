with source as (

    select * from {{ source('raw_app', 'serving_costs') }}

),

fields as (

    {{ json_fields('source', {
        'product_code': '$.product_code',
        'model': '$.model',
        'currency': '$.currency',
        'unit_cost': '$.unit_cost',
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
        object_id as serving_cost_id,
        product_code,
        model,
        upper(currency) as currency,
        {{ to_big_decimal('unit_cost') }} as unit_cost,
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
