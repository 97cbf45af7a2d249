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
brought as (

    select landed.*
    from landed
    inner join (
        select distinct batch_id from landed
        except distinct
        select batch_id from {{ this }}
    ) as news on landed.batch_id = news.batch_id

),

changed as (

    -- every version of what has come: what it replaces can have come in any batch, and for any day
    select landed.*
    from landed
    inner join (select distinct event_id from brought) as news on landed.event_id = news.event_id

),

{% else -%}
brought as (

    select * from landed

),

changed as (

    select landed.*
    from landed
    inner join (
        select event_id
        from landed
        group by event_id
        having count(*) > 1
    ) as repeated on landed.event_id = repeated.event_id

),

{% endif -%}
replaced as (

    select *
    from changed
    qualify row_number() over (partition by event_id order by read_at desc, batch_id desc) > 1

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
