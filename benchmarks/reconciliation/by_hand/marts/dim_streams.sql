with certificates as (
    select
        *,
        source_value = landed_value as is_complete,
    from raw_tieout.certificates
    qualify rank() over (partition by stream, day order by certified_at desc) = 1
),

certified as (
    select
        stream,
        sum(landed_value) filter (measure = 'objects') as objects,
        count(distinct coalesce(day::varchar, 'undated')) filter (not is_complete) as differing_days,
        bool_or(not is_complete and day is null) as has_undated_difference,
        min(day) filter (not is_complete) as first_differing_day,
        max(certified_through)::timestamp as counted_through,
    from certificates
    group by stream
)

select
    schema_name[5:] || '.' || view_name as stream,
    coalesce(objects, 0)::bigint as objects,
    coalesce(differing_days, 0) as differing_days,
    coalesce(rejected_objects, 0) as rejected_objects,
    schema_name = 'raw_orb' and view_name = 'events' as is_looked_up,
from duckdb_views()
left join certified on certified.stream = schema_name[5:] || '.' || view_name
left join (select stream, count(*) as rejected_objects from raw_quarantine.rejected group by stream) as rejected
    on rejected.stream = schema_name[5:] || '.' || view_name
where
    database_name = current_database()
    and schema_name in ('raw_app', 'raw_bank', 'raw_orb', 'raw_stripe')
