with source as (

    select * from {{ source('raw_quarantine', 'rejected') }}

),

renamed as (

    select
        object_id as rejected_id,
        stream,
        reason,
        batch_id,
        read_at as rejected_at,
    from source
    {{ known_at_as_of() }}

)

select * from renamed
