with right_side as (

    select
        lists.payout_transaction_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('payouts.created_at')) }} as period,
        lists.currency,
        lists.net_amount as amount,
        lists.balance_transaction_id,
        lists.payout_id,
        lists.claim_no,
    from {{ ref('int_cash__payout_lists') }} as lists
    inner join {{ ref('fct_payouts') }} as payouts on lists.payout_id = payouts.payout_id

),

left_side as (

    select
        transactions.balance_transaction_id as ref,
        cast(null as string) as customer_id,
        right_side.period,
        transactions.currency,
        transactions.net_amount as amount,
        transactions.source_id,
        right_side.payout_id,
    from {{ ref('fct_balance_transactions') }} as transactions
    inner join right_side on transactions.balance_transaction_id = right_side.balance_transaction_id and right_side.claim_no = 1

),

{{ reconcile(
    comparison='settled__transactions_vs_payout_lists',
    passes=[
        {'rule': 'transaction', 'on': 'r.balance_transaction_id = l.ref', 'nearest': 'r.claim_no'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.balance_transaction_id = l.ref'},
    ],
    causes=[
        {'cause': 'transaction_in_two_payouts', 'when': "m.match_rule = 'second_claim'"},
    ],
    evidence={
        'source_id': 'l.source_id',
        'payout_id': 'l.payout_id',
        'listed_by_payout_id': 'r.payout_id',
    },
) }}
