with payouts as (

    -- Stripe lists an automatic payout's transactions once it has reconciled it
    select * from {{ ref('fct_payouts') }}
    where attribution <> 'not_listed_yet'

),

left_side as (

    select
        payout_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        amount,
        method,
        attribution,
        confidence,
        transaction_count,
    from payouts

),

right_side as (

    select
        payout_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        transactions_amount as amount,
        case when attribution <> 'inferred' then payout_id end as listed_payout_id,
    from payouts
    where transaction_count > 0 or transactions_amount <> 0

),

{{ reconcile(
    comparison='settled__payouts_vs_transactions',
    passes=[
        {'rule': 'payout_list', 'on': 'r.listed_payout_id = l.ref'},
        {'rule': 'inferred', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'payout_unattributed', 'when': "m.is_different and l.attribution = 'inferred'"},
        {'cause': 'payout_composition_differs', 'when': 'm.is_different'},
    ],
    evidence={
        'attribution': 'l.attribution',
        'method': 'l.method',
        'transactions': 'cast(l.transaction_count as string)',
        'confidence_percent': 'cast(' ~ to_integer('100 * l.confidence') ~ ' as string)',
    },
) }}
