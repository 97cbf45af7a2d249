with source as (

    select * from {{ source('raw_orb', 'plans') }}

),

fields as (

    {{ json_fields('source', {
        'external_plan_id': '$.external_plan_id',
        'base_plan_id': '$.base_plan.id',
        'plan_name': '$.name',
        'description': '$.description',
        'status': '$.status',
        'currency': '$.currency',
        'invoicing_currency': '$.invoicing_currency',
        'version': '$.version',
        'net_terms_days': '$.net_terms',
        'created_at': '$.created_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as plan_id,
        external_plan_id,
        base_plan_id,
        plan_name,
        description,
        status,
        upper(currency) as currency,
        upper(invoicing_currency) as invoicing_currency,
        {{ to_integer('version') }} as version,
        {{ to_integer('net_terms_days') }} as net_terms_days,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
