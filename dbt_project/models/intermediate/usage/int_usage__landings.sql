{{ config(materialized='incremental', on_schema_change='fail', **replacing_rows('landing_id')) }}

with landed as (

    select
        event_id,
        {{ date_of('occurred_at') }} as usage_date,
        batch_id,
        read_at,
    from {{ ref('stg_app__usage_events') }}

),

{% if is_incremental() -%}
news as (

    select distinct batch_id from landed
    except distinct
    select batch_id from {{ this }}

),

brought as (

    select landed.*
    from landed
    inner join news on landed.batch_id = news.batch_id

),

repeated as (

    -- what a new row replaces can have come in any batch, and for any day
    select distinct event_id from brought

),

{% else -%}
brought as (

    select * from landed

),

repeated as (

    select event_id
    from landed
    group by event_id
    having count(*) > 1

),

{% endif -%}
replaced as (

    select landed.*
    from landed
    inner join repeated on landed.event_id = repeated.event_id
    qualify row_number() over (partition by landed.event_id order by landed.read_at desc, landed.batch_id desc) > 1

),

landings as (

    select
        cast(null as string) as event_id,
        usage_date,
        count(*) as row_count,
        batch_id,
        read_at,
    from brought
    group by usage_date, batch_id, read_at
    union all
    select
        event_id,
        usage_date,
        1 as row_count,
        batch_id,
        read_at,
    from replaced

)

select
    {{ surrogate_key(['batch_id', 'event_id', iso_date('usage_date')]) }} as landing_id,
    event_id,
    usage_date,
    row_count,
    '{{ code_version() }}' as code_version,
    batch_id,
    read_at,
from landings
