with newest as (

    select max(close_period) as closed_through
    from {{ ref('stg_tieout__closes') }}

)

select
    closed_through,
    case
        when closed_through is not null then {{ add_to_date('month', 1, "cast(concat(closed_through, '-01') as date)") }}
    end as first_open_date,
from newest
