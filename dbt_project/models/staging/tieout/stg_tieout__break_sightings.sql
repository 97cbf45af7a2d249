with source as (

    select * from {{ source('raw_tieout', 'break_sightings') }}
    {{ known_at_as_of() }}

),

fields as (

    {{ json_fields('source', {
        'comparison': '$.comparison',
        'hop': '$.hop',
        'match_key': '$.match_key',
        'customer_id': '$.customer_id',
        'period': '$.period',
        'currency': '$.currency',
        'right_currency': '$.right_currency',
        'left_ref': '$.left_ref',
        'left_amount': '$.left_amount',
        'right_ref': '$.right_ref',
        'right_amount': '$.right_amount',
        'difference': '$.difference',
        'match_rule': '$.match_rule',
        'status': '$.status',
        'cause': '$.cause',
        'tolerance': '$.tolerance',
        'evidence': '$.evidence',
        'rule_version': '$.rule_version',
    }, keep=['object_id', 'is_deleted', 'source_at', 'batch_id', 'read_at']) }}

),

renamed as (

    select
        {{ surrogate_key(['object_id', 'batch_id']) }} as sighting_id,
        object_id as break_id,
        comparison,
        hop,
        match_key,
        customer_id,
        period,
        currency,
        right_currency,
        left_ref,
        {{ to_decimal('left_amount') }} as left_amount,
        right_ref,
        {{ to_decimal('right_amount') }} as right_amount,
        {{ to_decimal('difference') }} as difference,
        match_rule,
        status,
        cause,
        {{ to_decimal('tolerance') }} as tolerance,
        evidence,
        rule_version,
        is_deleted as is_gone,
        source_at as seen_at,
        batch_id,
        read_at,
    from fields

)

select * from renamed
