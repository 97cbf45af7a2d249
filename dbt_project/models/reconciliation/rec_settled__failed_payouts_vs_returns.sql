with left_side as (

    select
        payout_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        amount,
        status,
    from {{ ref('fct_payouts') }}
    where status in ('failed', 'canceled')

),

right_side as (

    select
        balance_transaction_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        gross_amount as amount,
        source_id as payout_id,
        type,
        created_at,
    from {{ ref('fct_balance_transactions') }}
    where type in ('payout_failure', 'payout_cancel')

),

{{ reconcile(
    comparison='settled__failed_payouts_vs_returns',
    passes=[
        {'rule': 'payout', 'on': 'r.payout_id = l.ref', 'nearest': 'r.created_at'},
    ],
    causes=[
        {'cause': 'payout_failed', 'when': 'm.is_different and m.left_ref is not null'},
    ],
    evidence={
        'payout_status': 'l.status',
        'return_type': 'r.type',
        'returned_at': 'cast(' ~ date_of('r.created_at') ~ ' as string)',
    },
) }}
