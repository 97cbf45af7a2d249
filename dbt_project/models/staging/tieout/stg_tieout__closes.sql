with source as (

    select * from {{ source('raw_tieout', 'closes') }}

),

fields as (

    {{ json_fields('source', {
        'close_period': '$.period',
        'closed_as_of': '$.as_of',
        'closed_by': '$.closed_by',
        'accepted_reason': '$.accepted_reason',
        'accepted': '$.accepted',
        'inputs': '$.inputs',
        'input_hash': '$.input_hash',
        'content_hash': '$.content_hash',
    }, keep=['object_id', 'payload_hash', 'batch_id', 'read_at']) }}

),

renamed as (

    select
        object_id as close_id,
        close_period,
        closed_by,
        accepted_reason,
        accepted,
        inputs,
        input_hash,
        content_hash,
        {{ timestamp_from_iso('closed_as_of') }} as closed_as_of,
        payload_hash,
        batch_id,
        read_at,
    from fields
    {{ known_at_as_of() }}

)

select * from renamed
