with left_side as (

    select
        concat(used.customer_id, '/', used.metric, '/', {{ iso_date('used.usage_date') }}) as ref,
        used.customer_id,
        {{ year_month('used.usage_date') }} as period,
        used.metric as currency,
        {{ sum_decimal('used.quantity') }} as amount,
        {{ sum_integer('used.event_count') }} as event_count,
        coalesce(max(counts.events_short_in_orb), 0) as events_short_in_orb,
    from {{ ref('fct_usage_daily') }} as used
    left join {{ ref('int_usage__event_counts_daily') }} as counts on used.usage_date = counts.usage_date
    group by used.customer_id, used.metric, used.usage_date
    having sum(used.quantity) <> 0

),

right_side as (

    select
        concat(customer_id, '/', metric, '/', {{ iso_date('usage_date') }}) as ref,
        customer_id,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        quantity as amount,
        subscription_id,
    from {{ ref('int_usage__orb_daily') }}
    where quantity <> 0

),

{{ reconcile(
    comparison='metered__app_vs_orb',
    passes=[
        {'rule': 'customer_metric_day', 'on': 'l.ref = r.ref'},
    ],
    causes=[
        {
            'cause': 'event_missing_in_orb',
            'when': 'm.is_different and m.difference > 0 and l.events_short_in_orb > 0',
        },
    ],
    evidence={
        'app_events_behind_it': 'cast(l.event_count as string)',
        'events_short_in_orb_that_day': 'cast(l.events_short_in_orb as string)',
        'orb_subscription_id': 'r.subscription_id',
    },
) }}
