with source as (

    select * from {{ source('raw_tieout', 'certificates') }}

),

newest as (

    -- a day is certified again as a whole: all its measures are replaced
    select *
    from source
    {{ known_at_as_of() }}
    qualify rank() over (partition by stream, day order by certified_at desc) = 1

),

renamed as (

    select
        {{ surrogate_key(['stream', iso_date('day'), 'measure', 'unit']) }} as certificate_id,
        stream,
        day,
        measure,
        unit,
        source_value,
        landed_value,
        source_value = landed_value as is_complete,
        certified_from,
        certified_through,
        certified_at,
        batch_id,
        read_at,
    from newest

)

select * from renamed
