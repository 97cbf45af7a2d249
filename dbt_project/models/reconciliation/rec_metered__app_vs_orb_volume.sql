with events as (

    -- one row an event, not one a metric
    select
        app_events.event_id,
        {{ truncate_timestamp('hour', 'app_events.occurred_at') }} as app_hour_at,
        {{ truncate_timestamp('hour', 'orb_events.occurred_at') }} as orb_hour_at,
        case
            when surplus.amended_event_id is not null then 'kept'
            when orb_events.event_id is null or orb_events.is_deprecated then 'absent'
            when {{ truncate_timestamp('hour', 'orb_events.occurred_at') }} <> {{ truncate_timestamp('hour', 'app_events.occurred_at') }} then 'moved'
            else 'kept'
        end as fate,
    from {{ ref('rec_metered__event_by_event') }} as matches
    inner join {{ ref('int_usage__app_events_by_metric') }} as app_events on matches.left_ref = app_events.event_metric_id
    left join {{ ref('int_usage__orb_events_by_metric') }} as orb_events on matches.right_ref = orb_events.event_metric_id
    left join {{ ref('int_usage__orb_surplus') }} as surplus on matches.right_ref = surplus.surplus_id
    where matches.cause <> 'unexplained'
    qualify row_number() over (partition by app_events.event_id order by app_events.metric) = 1

),

named as (

    select
        app_hour_at as hour_at,
        1 as too_few_in_orb,
    from events
    where fate in ('absent', 'moved')
    union all
    select
        orb_hour_at as hour_at,
        -1 as too_few_in_orb,
    from events
    where fate = 'moved'

),

named_hours as (

    select
        hour_at,
        {{ sum_integer('too_few_in_orb') }} as too_few_in_orb,
    from named
    group by hour_at

),

surplus_days as (

    -- events that only Orb has: their hour is not known, only their day
    select
        usage_date,
        count(distinct concat(customer_id, '/', event_name)) as events,
    from {{ ref('int_usage__orb_surplus') }}
    where quantity > 0 and amended_event_id is null
    group by usage_date

),

hours as (

    select
        counts.hour_at,
        counts.usage_date,
        counts.app_events,
        counts.orb_events,
        coalesce(named_hours.too_few_in_orb, 0) as named_difference,
        coalesce(surplus_days.events, 0) as surplus_events,
    from {{ ref('int_usage__event_counts_hourly') }} as counts
    left join named_hours on cast(counts.hour_at as timestamp) = named_hours.hour_at
    left join surplus_days on counts.usage_date = surplus_days.usage_date

),

{% for side, events in [('left', 'app_events'), ('right', 'orb_events')] -%}
{{ side }}_side as (

    select
        concat({{ iso_date('usage_date') }}, '/', cast(extract(hour from hour_at) as string)) as ref,
        cast(null as string) as customer_id,
        {{ year_month('usage_date') }} as period,
        'events' as currency,
        {{ to_decimal(events) }} as amount,
        named_difference,
        surplus_events,
    from hours

),

{% endfor -%}
{{ reconcile(
    comparison='metered__app_vs_orb_volume',
    passes=[
        {'rule': 'hour', 'on': 'l.ref = r.ref'},
    ],
    causes=[
        {
            'cause': 'named_event_by_event',
            'status': 'matched',
            'when': 'm.is_different and m.difference between l.named_difference - l.surplus_events and l.named_difference',
        },
    ],
    evidence={
        'named_event_by_event': 'cast(l.named_difference as string)',
        'only_in_orb_that_day': 'cast(l.surplus_events as string)',
    },
) }}
