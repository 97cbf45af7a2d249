with movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

customers as (

    select * from {{ ref('dim_customers') }}

),

wrong_grants as (

    -- what was granted for the money is compared with the money, and named there
    select distinct movements.credit_block_id
    from {{ ref('rec_credits__topups_vs_grants') }} as grants
    inner join movements on grants.right_ref = movements.ledger_entry_id
    where grants.status <> 'matched'

),

left_side as (

    select
        credit_block_id as ref,
        customer_id,
        {{ year_month(date_of('min(created_at)')) }} as period,
        currency,
        {{ sum_decimal('movement') }} as amount,
        {{ sum_integer('case when has_terms_of_block then 0 else 1 end') }} as entries_with_other_terms,
    from movements
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
        wrong_grants.credit_block_id is not null as is_grant_wrong,
    from {{ ref('stg_orb__credit_blocks') }} as blocks
    left join left_side on blocks.credit_block_id = left_side.ref
    left join customers on blocks.customer_id = customers.orb_customer_id
    left join wrong_grants on blocks.credit_block_id = wrong_grants.credit_block_id
    where not blocks.is_deleted

),

{{ reconcile(
    comparison='credits__ledger_vs_blocks',
    passes=[
        {'rule': 'credit_block', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.left_ref is null or m.right_ref is null'},
        {'cause': 'unexplained', 'when': 'not r.is_grant_wrong and l.entries_with_other_terms > 0'},
    ],
    evidence={
        'block_status': 'r.status',
        'entries_with_another_cost_basis_or_expiry': 'cast(l.entries_with_other_terms as string)',
    },
    upstream={'credits__movements_vs_balances': 1, 'credits__topups_vs_grants': -1, 'credits__refunds_vs_voids': 1},
) }}
