select events.*
from {{ ref('stg_app__usage_events') }} as events
where not exists (
    select 1
    from {{ ref('int_usage__landings') }} as replaced
    where replaced.event_id is not null and replaced.event_id = events.event_id and replaced.batch_id = events.batch_id
)
