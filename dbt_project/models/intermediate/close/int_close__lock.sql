with newest as (

    select max(close_period) as closed_through
    from {{ ref('stg_tieout__closes') }}

)

select
    closed_through,
    {{ add_to_date('month', 1, 'cast(concat(closed_through, ' ~ "'-01'" ~ ') as date)') }} as first_open_date,
from newest
