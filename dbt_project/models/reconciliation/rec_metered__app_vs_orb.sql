{#- a day that differs is cut into the causes that its events have by themselves, and what ties -#}
{%- set causes = [] -%}
{%- set differing = ['event_wrong_customer', 'event_deprecated', 'period_shifted', 'event_amended', 'event_quantity_differs'] -%}
{%- set unmatched = ['backfill_reverted', 'event_late', 'event_missing_in_orb', 'event_duplicated_in_orb', 'event_unknown_to_app'] -%}
{%- for cause in differing + unmatched -%}
{%- do causes.append({'cause': cause, 'status': 'timing', 'when': "l.cause = '" ~ cause ~ "' and l.status = 'timing'"}) -%}
{%- do causes.append({'cause': cause, 'when': "l.cause = '" ~ cause ~ "'"}) -%}
{%- endfor -%}

with named as (

    select
        coalesce(app_events.customer_id, surplus.customer_id) as customer_id,
        coalesce(app_events.metric, surplus.metric) as metric,
        coalesce(app_events.usage_date, surplus.usage_date) as usage_date,
        orb_events.customer_id as orb_customer_id,
        coalesce(orb_events.usage_date, surplus.usage_date) as orb_usage_date,
        matches.cause,
        matches.status,
        matches.left_amount,
        matches.right_amount,
        coalesce(app_events.event_id, surplus.like_event_id) as event_id,
        {{ json_text('matches.evidence', '$.confidence') }} as confidence,
        {{ json_text('matches.evidence', '$.clears_by') }} as clears_by,
    from {{ ref('rec_metered__event_by_event') }} as matches
    left join {{ ref('int_usage__app_events_by_metric') }} as app_events on matches.left_ref = app_events.event_metric_id
    left join {{ ref('int_usage__orb_events_by_metric') }} as orb_events on matches.right_ref = orb_events.event_metric_id
    left join {{ ref('int_usage__orb_surplus') }} as surplus on matches.right_ref = surplus.surplus_id
    where matches.cause is not null and matches.cause <> 'unexplained'

),

pieces as (

    select
        concat(customer_id, '/', metric, '/', {{ iso_date('usage_date') }}, '/', cause) as ref,
        customer_id,
        metric,
        usage_date,
        cause,
        max(status) as status,
        count(*) as events,
        min(event_id) as event_id,
        min(confidence) as confidence,
        max(clears_by) as clears_by,
        max(orb_customer_id) as orb_customer_id,
        max(orb_usage_date) as orb_usage_date,
        {{ sum_decimal('left_amount') }} as left_amount,
        {{ sum_decimal('right_amount') }} as right_amount,
    from named
    group by customer_id, metric, usage_date, cause

),

app_named as (

    select
        customer_id,
        metric,
        usage_date,
        {{ sum_decimal('left_amount') }} as amount,
    from named
    group by customer_id, metric, usage_date

),

orb_named as (

    select
        coalesce(orb_customer_id, customer_id) as customer_id,
        metric,
        orb_usage_date as usage_date,
        {{ sum_decimal('right_amount') }} as amount,
    from named
    where orb_usage_date is not null
    group by coalesce(orb_customer_id, customer_id), metric, orb_usage_date

),

app_days as (

    select
        customer_id,
        metric,
        usage_date,
        {{ sum_decimal('quantity') }} as quantity,
        {{ sum_integer('event_count') }} as event_count,
    from {{ ref('fct_usage_daily') }}
    group by customer_id, metric, usage_date

),

left_side as (

    select
        concat(app_days.customer_id, '/', app_days.metric, '/', {{ iso_date('app_days.usage_date') }}) as ref,
        app_days.customer_id,
        {{ year_month('app_days.usage_date') }} as period,
        app_days.metric as currency,
        {{ to_decimal('app_days.quantity - coalesce(app_named.amount, 0)') }} as amount,
        cast(null as string) as cause,
        cast(null as string) as status,
        app_days.event_count as events,
        cast(null as string) as event_id,
        cast(null as string) as confidence,
        cast(null as string) as clears_by,
        cast(null as string) as orb_customer_id,
        cast(null as date) as orb_usage_date,
    from app_days
    left join app_named
        on
            app_days.customer_id = app_named.customer_id
            and app_days.metric = app_named.metric
            and app_days.usage_date = app_named.usage_date
    where app_days.quantity <> coalesce(app_named.amount, 0)
    union all
    select
        ref,
        customer_id,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        left_amount as amount,
        cause,
        status,
        events,
        event_id,
        confidence,
        clears_by,
        orb_customer_id,
        orb_usage_date,
    from pieces

),

right_side as (

    select
        concat(orb_days.customer_id, '/', orb_days.metric, '/', {{ iso_date('orb_days.usage_date') }}) as ref,
        orb_days.customer_id,
        {{ year_month('orb_days.usage_date') }} as period,
        orb_days.metric as currency,
        {{ to_decimal('orb_days.quantity - coalesce(orb_named.amount, 0)') }} as amount,
        orb_days.subscription_id,
    from {{ ref('int_usage__orb_daily') }} as orb_days
    left join orb_named
        on
            orb_days.customer_id = orb_named.customer_id
            and orb_days.metric = orb_named.metric
            and orb_days.usage_date = orb_named.usage_date
    where orb_days.quantity <> coalesce(orb_named.amount, 0)
    union all
    select
        ref,
        customer_id,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        right_amount as amount,
        cast(null as string) as subscription_id,
    from pieces

),

{{ reconcile(
    comparison='metered__app_vs_orb',
    passes=[
        {'rule': 'customer_metric_day', 'on': 'l.ref = r.ref'},
    ],
    causes=causes,
    evidence={
        'events': 'cast(l.events as string)',
        'first_event_id': 'l.event_id',
        'confidence': 'l.confidence',
        'clears_by': 'l.clears_by',
        'orb_customer_id': 'l.orb_customer_id',
        'orb_usage_date': iso_date('l.orb_usage_date'),
        'orb_subscription_id': 'r.subscription_id',
    },
) }}
