with source as (

    select * from {{ source('raw_bank', 'statement_lines') }}

),

fields as (

    {{ json_fields('source', {
        'line_id': '$.line_id',
        'account_id': '$.account_id',
        'description': '$.description',
        'reference': '$.reference',
        'currency': '$.currency',
        'amount': '$.amount',
        'balance': '$.balance',
        'booked_on': '$.booked_on',
        'value_on': '$.value_on',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as statement_line_id,
        line_id,
        account_id,
        description,
        nullif(reference, '') as reference,
        upper(currency) as currency,
        {{ to_decimal('amount') }} as amount,
        {{ to_decimal("nullif(balance, '')") }} as balance,
        is_deleted,
        {{ to_date('booked_on') }} as booked_on,
        {{ to_date("nullif(value_on, '')") }} as value_on,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
