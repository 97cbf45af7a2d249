with named as (

    -- what the events say about the hours: an event without its hour in Orb, one too many, one in another hour
    select
        {{ truncate_timestamp('hour', 'app_events.occurred_at') }} as hour_at,
        app_events.event_id,
    from {{ ref('rec_metered__event_by_event') }} as matches
    inner join {{ ref('int_usage__app_events_by_metric') }} as app_events on matches.left_ref = app_events.event_metric_id
    left join {{ ref('int_usage__orb_events_by_metric') }} as orb_events on matches.right_ref = orb_events.event_metric_id
    where
        matches.cause <> 'unexplained'
        and (
            orb_events.event_id is null
            or orb_events.is_deprecated
            or {{ truncate_timestamp('hour', 'orb_events.occurred_at') }} <> {{ truncate_timestamp('hour', 'app_events.occurred_at') }}
        )
    group by {{ truncate_timestamp('hour', 'app_events.occurred_at') }}, app_events.event_id

),

absent as (

    select
        hour_at,
        count(*) as events,
    from named
    group by hour_at

),

moved as (

    select
        {{ truncate_timestamp('hour', 'orb_events.occurred_at') }} as hour_at,
        count(distinct orb_events.event_id) as events,
    from {{ ref('rec_metered__event_by_event') }} as matches
    inner join {{ ref('int_usage__app_events_by_metric') }} as app_events on matches.left_ref = app_events.event_metric_id
    inner join {{ ref('int_usage__orb_events_by_metric') }} as orb_events on matches.right_ref = orb_events.event_metric_id
    where
        matches.cause <> 'unexplained'
        and not orb_events.is_deprecated
        and {{ truncate_timestamp('hour', 'orb_events.occurred_at') }} <> {{ truncate_timestamp('hour', 'app_events.occurred_at') }}
    group by {{ truncate_timestamp('hour', 'orb_events.occurred_at') }}

),

surplus as (

    -- events that only Orb has: their hour is not known, only their day
    select
        usage_date,
        count(distinct concat(customer_id, '/', event_name)) as events,
    from {{ ref('int_usage__orb_surplus') }}
    where quantity > 0
    group by usage_date

),

hours as (

    select
        counts.hour_at,
        counts.usage_date,
        counts.app_events,
        counts.orb_events,
        coalesce(absent.events, 0) - coalesce(moved.events, 0) as named_difference,
        coalesce(surplus.events, 0) as surplus_events,
    from {{ ref('int_usage__event_counts_hourly') }} as counts
    left join absent on counts.hour_at = cast(absent.hour_at as {{ timestamp_type() }})
    left join moved on counts.hour_at = cast(moved.hour_at as {{ timestamp_type() }})
    left join surplus on counts.usage_date = surplus.usage_date

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
