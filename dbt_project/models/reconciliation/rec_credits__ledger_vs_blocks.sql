with customers as (

    select * from {{ ref('dim_customers') }}

),

left_side as (

    select
        credit_block_id as ref,
        customer_id,
        {{ year_month(date_of('min(created_at)')) }} as period,
        currency,
        {{ sum_decimal('movement') }} as amount,
    from {{ ref('int_credits__ledger_movements') }}
    group by credit_block_id, customer_id, currency

),

right_side as (

    -- a block does not say its currency: its ledger does
    select
        blocks.credit_block_id as ref,
        coalesce(left_side.customer_id, customers.customer_id) as customer_id,
        coalesce(left_side.period, {{ year_month(date_of('blocks.effective_at')) }}) as period,
        coalesce(left_side.currency, customers.currency) as currency,
        blocks.balance as amount,
        blocks.status,
    from {{ ref('stg_orb__credit_blocks') }} as blocks
    left join left_side on blocks.credit_block_id = left_side.ref
    left join customers on blocks.customer_id = customers.orb_customer_id
    where not blocks.is_deleted

),

{{ reconcile(
    comparison='credits__ledger_vs_blocks',
    passes=[
        {'rule': 'credit_block', 'on': 'r.ref = l.ref'},
    ],
    causes=[],
    evidence={
        'block_status': 'r.status',
    },
    upstream={'credits__movements_vs_balances': 1, 'credits__topups_vs_grants': -1, 'credits__refunds_vs_voids': 1},
) }}
