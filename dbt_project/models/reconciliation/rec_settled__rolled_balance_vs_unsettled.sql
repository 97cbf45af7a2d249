with left_side as (

    -- the month's change, so that the months of a currency add up to its balance
    select
        concat(currency, '/', period) as ref,
        cast(null as string) as customer_id,
        period,
        currency,
        {{ to_decimal('closing_amount - opening_amount') }} as amount,
    from {{ ref('fct_balance_monthly') }}

),

transactions as (

    select
        *,
        {{ year_month(date_of('created_at')) }} as period,
    from {{ ref('fct_balance_transactions') }}

),

debits as (

    select
        source_id as payout_id,
        currency,
        min(period) as period,
        {{ to_decimal('-sum(gross_amount)') }} as amount,
    from transactions
    where type = 'payout'
    group by source_id, currency

),

settled as (

    -- one root cause is one break: a payout that does not tie with its transactions settles here what it was debited with
    select
        payouts.payout_id,
        payouts.currency,
        coalesce(debits.period, {{ year_month(date_of('payouts.created_at')) }}) as period,
        coalesce(
            case when ties.status = 'matched' then payouts.transactions_amount end,
            debits.amount,
            {{ decimal_literal('0') }}
        ) as amount,
        coalesce(debits.amount, {{ decimal_literal('0') }}) as debit_amount,
    from {{ ref('fct_payouts') }} as payouts
    left join {{ ref('rec_settled__payouts_vs_transactions') }} as ties on payouts.payout_id = ties.left_ref
    left join debits on payouts.payout_id = debits.payout_id and payouts.currency = debits.currency

),

moved as (

    select
        currency,
        period,
        case when type = 'payout' then -fee_amount else net_amount end as amount,
        cast(null as string) as differing_payout_id,
    from transactions
    union all
    select
        currency,
        period,
        -amount as amount,
        case when amount <> debit_amount then payout_id end as differing_payout_id,
    from settled

),

right_side as (

    select
        concat(currency, '/', period) as ref,
        cast(null as string) as customer_id,
        period,
        currency,
        {{ sum_decimal('amount') }} as amount,
        count(differing_payout_id) as differing_payouts,
        min(differing_payout_id) as differing_payout_id,
    from moved
    group by currency, period

),

{{ reconcile(
    comparison='settled__rolled_balance_vs_unsettled',
    passes=[
        {'rule': 'currency_month', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'balance_rollforward_breaks', 'when': 'm.is_different'},
    ],
    evidence={
        'payouts_that_differ': 'cast(r.differing_payouts as string)',
        'payout_id': 'r.differing_payout_id',
    },
) }}
