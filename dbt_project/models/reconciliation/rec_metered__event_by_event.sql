with left_side as (

    select
        event_metric_id as ref,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        quantity as amount,
        *,
    from {{ ref('int_usage__app_events_by_metric') }}

),

right_side as (

    select
        event_metric_id as ref,
        customer_id,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        quantity as amount,
        event_id,
        usage_date,
        is_deprecated,
        false as is_amended,
        payload_hash,
        batch_id,
        occurred_at,
        cast(null as string) as like_event_id,
    from {{ ref('int_usage__orb_events_by_metric') }}
    union all
    select
        surplus_id as ref,
        customer_id,
        {{ year_month('usage_date') }} as period,
        metric as currency,
        quantity as amount,
        amended_event_id as event_id,
        usage_date,
        false as is_deprecated,
        amended_event_id is not null as is_amended,
        cast(null as string) as payload_hash,
        cast(null as string) as batch_id,
        cast(null as timestamp) as occurred_at,
        like_event_id,
    from {{ ref('int_usage__orb_surplus') }}

),

{{ reconcile(
    comparison='metered__event_by_event',
    passes=[
        {'rule': 'event_id', 'on': 'l.ref = r.ref'},
    ],
    causes=[
        {'cause': 'event_wrong_customer', 'when': 'l.customer_id <> r.customer_id'},
        {'cause': 'event_deprecated', 'when': 'l.ref is not null and r.is_deprecated'},
        {'cause': 'period_shifted', 'when': 'l.usage_date <> r.usage_date'},
        {'cause': 'event_amended', 'when': 'm.is_different and l.ref is not null and r.is_amended'},
        {'cause': 'event_quantity_differs', 'when': 'm.is_different and l.ref is not null and r.ref is not null and not r.is_amended'},
        {'cause': 'backfill_reverted', 'when': 'r.ref is null and l.reverted_backfill_id is not null'},
        {'cause': 'event_late', 'status': 'timing', 'when': 'r.ref is null and l.recorded_at > l.issued_at and l.next_issued_at is null'},
        {'cause': 'event_late', 'when': 'r.ref is null and l.recorded_at > l.issued_at'},
        {'cause': 'event_missing_in_orb', 'when': 'r.ref is null'},
        {'cause': 'event_duplicated_in_orb', 'when': 'l.ref is null and r.amount > 0 and r.like_event_id is not null'},
        {'cause': 'event_unknown_to_app', 'when': 'l.ref is null and r.amount > 0 and r.like_event_id is null'},
    ],
    evidence={
        'event_id': 'coalesce(l.event_id, r.event_id)',
        'confidence': "case when r.like_event_id is not null or (r.is_amended and not l.has_tied_before) then 'likely' when l.ref is null then 'possible' else 'certain' end",
        'as_large_as': 'r.like_event_id',
        'orb_customer_id': 'r.customer_id',
        'app_occurred_at': instant_text('l.occurred_at'),
        'orb_occurred_at': instant_text('r.occurred_at'),
        'recorded_at': instant_text('l.recorded_at'),
        'invoice_issued_at': instant_text('l.issued_at'),
        'clears_by': 'case when l.recorded_at > l.issued_at and l.next_issued_at is null then cast(l.next_invoice_date as string) end',
        'backfill_id': 'l.reverted_backfill_id',
        'app_batch_id': 'l.batch_id',
        'orb_batch_id': 'r.batch_id',
        'orb_payload_hash': 'r.payload_hash',
    },
) }}
