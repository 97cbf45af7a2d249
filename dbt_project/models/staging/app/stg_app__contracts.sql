with source as (

    select * from {{ source('raw_app', 'contracts') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer_id',
        'orb_subscription_id': '$.orb_subscription_id',
        'currency': '$.currency',
        'net_terms_days': '$.net_terms_days',
        'monthly_commitment_amount': '$.monthly_commitment',
        'discount_percent': '$.discount_percent',
        'tax_percent': '$.tax_percent',
        'start_date': '$.start_date',
        'end_date': '$.end_date',
        'created_at': '$.created_at',
        'updated_at': '$.updated_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as contract_id,
        customer_id,
        orb_subscription_id,
        upper(currency) as currency,
        {{ to_integer('net_terms_days') }} as net_terms_days,
        {{ json_document('payload', '$.price_overrides') }} as price_overrides,
        {{ json_document('payload', '$.adjustments') }} as adjustments,
        {{ to_decimal('monthly_commitment_amount') }} as monthly_commitment_amount,
        {{ to_decimal('discount_percent') }} as discount_percent,
        {{ to_decimal('tax_percent') }} as tax_percent,
        is_deleted,
        {{ to_date('start_date') }} as start_date,
        {{ to_date('end_date') }} as end_date,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('updated_at') }} as updated_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
