{{ config(materialized='incremental', on_schema_change='fail', **replacing_rows('landing_id')) }}

{#- every part reads raw for itself: DuckDB would hold all rows in memory that it reads once for several -#}
{%- set known = newly_landed_days() -%}
with {% if is_incremental() -%}
news as (

    select distinct batch_id from {{ ref('stg_app__usage_events') }}
    where batch_id is not null {{ and_within(known, 'occurred_at') }}
    except distinct
    select batch_id from {{ this }}

),

brought as (

    select
        events.event_id,
        {{ date_of('events.occurred_at') }} as usage_date,
        events.batch_id,
        events.read_at,
    from {{ ref('stg_app__usage_events') }} as events
    inner join news on events.batch_id = news.batch_id {{ and_within(known, 'events.occurred_at') }}

),

repeated as (

    -- what a new row replaces can have come in any batch, and for any day
    select distinct {{ fingerprint('event_id') }} as event_fingerprint from brought

),

{% else -%}
brought as (

    select
        event_id,
        {{ date_of('occurred_at') }} as usage_date,
        batch_id,
        read_at,
    from {{ ref('stg_app__usage_events') }}

),

repeated as (

    select {{ fingerprint('event_id') }} as event_fingerprint
    from {{ ref('stg_app__usage_events') }}
    group by {{ fingerprint('event_id') }}
    having count(*) > 1

),

{% endif -%}
replaced as (

    -- ids that share a fingerprint by chance are told apart here; to count integers takes half the time and memory
    select
        events.event_id,
        {{ date_of('events.occurred_at') }} as usage_date,
        events.batch_id,
        events.read_at,
    from {{ ref('stg_app__usage_events') }} as events
    inner join repeated on {{ fingerprint('events.event_id') }} = repeated.event_fingerprint {{ and_within(known, 'events.occurred_at') }}
    qualify row_number() over (partition by events.event_id order by events.read_at desc, events.batch_id desc) > 1

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
