with source as (

    select * from {{ source('raw_app', 'exchange_rates') }}

),

fields as (

    {{ json_fields('source', {
        'publisher': '$.publisher',
        'currency': '$.currency',
        'quote_currency': '$.quote_currency',
        'exchange_rate': '$.rate',
        'published_on': '$.published_on',
        'updated_at': '$.updated_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as exchange_rate_id,
        publisher,
        upper(currency) as currency,
        upper(quote_currency) as quote_currency,
        {{ to_big_decimal('exchange_rate') }} as exchange_rate,
        is_deleted,
        {{ to_date('published_on') }} as published_on,
        {{ timestamp_from_iso('updated_at') }} as updated_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
