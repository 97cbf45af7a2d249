{#- one that is switched off counts for nothing in Orb -#}
with events as (

    select
        found.*,
        asked.customer_id as app_customer_id,
        asked.usage_date as app_usage_date,
        {{ date_of('found.occurred_at') }} as usage_date,
    from {{ ref('stg_orb__events') }} as found
    inner join {{ ref('int_usage__events_to_look_up') }} as asked on found.event_id = asked.event_id
    where not found.is_deleted

),

quantities as (

    {{ events_by_metric('events', [
        'event_id', 'external_customer_id', 'app_customer_id', 'app_usage_date', 'usage_date', 'is_deprecated', 'payload_hash', 'batch_id',
        'occurred_at',
    ]) }}

)

select
    concat(app_customer_id, '/', metric, '/', {{ iso_date('app_usage_date') }}, '/', event_id) as event_metric_id,
    event_id,
    external_customer_id as customer_id,
    metric,
    usage_date,
    case when is_deprecated then {{ decimal_literal('0') }} else quantity end as quantity,
    is_deprecated,
    payload_hash,
    batch_id,
    cast(occurred_at as timestamp) as occurred_at,
from quantities
