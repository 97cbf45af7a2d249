with movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

blocks as (

    -- a block whose terms the entries know otherwise is named with its balance
    select
        credit_block_id,
        customer_id,
        currency,
        min(block_expires_at) as expires_at,
        {{ sum_decimal("case when entry_type = 'credit_block_expiry' then 0 else movement end") }} as unused_amount,
        {{ sum_decimal("case when entry_type = 'credit_block_expiry' then -movement else 0 end") }} as expired_amount,
        max(cost_basis) as cost_basis,
    from movements
    group by credit_block_id, customer_id, currency
    having sum(case when has_terms_of_block then 0 else 1 end) = 0

),

known_until as (

    select max(created_at) as ledger_until from movements

),

left_side as (

    -- an expiry that comes before its time was not due
    select
        blocks.credit_block_id as ref,
        blocks.customer_id,
        {{ year_month(date_of('blocks.expires_at')) }} as period,
        blocks.currency,
        case when blocks.expires_at <= known_until.ledger_until then blocks.unused_amount else {{ decimal_literal('0') }} end as amount,
        blocks.cost_basis,
        blocks.expires_at,
        known_until.ledger_until,
    from blocks
    cross join known_until
    where blocks.expired_amount <> 0 or blocks.expires_at <= known_until.ledger_until and blocks.unused_amount <> 0

),

right_side as (

    select
        credit_block_id as ref,
        customer_id,
        {{ year_month(date_of('expires_at')) }} as period,
        currency,
        expired_amount as amount,
    from blocks
    where expired_amount <> 0

),

{%- set clears_by = add_to_timestamp('day', 'settings.window_days', 'l.expires_at') %}

{{ reconcile(
    comparison='recognised__due_expiries_vs_ledger',
    passes=[
        {'rule': 'credit_block', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'breakage_missed', 'status': 'timing', 'when': 'm.difference > 0 and m.is_different and ' ~ clears_by ~ ' > l.ledger_until'},
        {'cause': 'breakage_missed', 'when': 'm.difference > 0 and m.is_different'},
    ],
    evidence={
        'cost_basis': decimal_text('l.cost_basis'),
        'expires_at': instant_text('l.expires_at'),
        'clears_by': instant_text(clears_by),
    },
    upstream={'credits__movements_vs_balances': 1},
) }}
