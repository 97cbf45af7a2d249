with streams as (

    -- what Tieout lands of its own work is no stream
    {% for source in graph.sources.values() | sort(attribute='unique_id') if execute and source.schema not in ['raw_tieout', 'raw_quarantine'] -%}
    select
        '{{ stream_of(source) }}' as stream,
        {{ is_looked_up(source) }} as is_looked_up
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

certified as (

    select
        stream,
        {{ sum_integer("case when measure = 'objects' then landed_value else 0 end") }} as objects,
        count(distinct case when not is_complete then coalesce({{ iso_date('day') }}, 'undated') end) as differing_days,
        max(case when not is_complete and day is null then 1 else 0 end) = 1 as has_undated_difference,
        min(case when not is_complete then day end) as first_differing_day,
        max(certified_through) as counted_through,
    from {{ ref('stg_tieout__certificates') }}
    group by stream

),

rejected as (

    select
        stream,
        count(*) as objects,
    from {{ ref('stg_tieout__rejected') }}
    group by stream

)

select
    streams.stream,
    coalesce(certified.objects, 0) as objects,
    coalesce(certified.differing_days, 0) as differing_days,
    coalesce(rejected.objects, 0) as rejected_objects,
    streams.is_looked_up,
    case
        when certified.has_undated_difference then cast(null as timestamp)
        when certified.first_differing_day is not null then cast(certified.first_differing_day as timestamp)
        else cast(certified.counted_through as timestamp)
    end as certified_through,
from streams
left join certified on streams.stream = certified.stream
left join rejected on streams.stream = rejected.stream
