with source as (

    select * from {{ source('raw_tieout', 'differences') }}

),

renamed as (

    select
        {{ surrogate_key(['stream', 'object_id', 'batch_id']) }} as difference_id,
        stream,
        object_id,
        day,
        difference,
        source_amount,
        landed_amount,
        certified_at,
        batch_id,
        read_at,
    from source
    {{ known_at_as_of() }}

)

select * from renamed
