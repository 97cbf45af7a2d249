with movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

known_until as (

    select max(created_at) as ledger_until from movements

),

top_ups as (

    select * from {{ ref('fct_payments') }}
    where purpose = 'top_up' and status = 'succeeded'

),

returns as (

    -- when a dispute was lost Stripe does not say: its credit had to go by now
    select
        refund_id as return_id,
        charge_id,
        amount,
        cast(created_at as timestamp) as created_at,
        cast(created_at as timestamp) as returned_at,
    from {{ ref('stg_stripe__refunds') }}
    where status not in ('failed', 'canceled') and not is_deleted
    union all
    select
        disputes.dispute_id as return_id,
        disputes.charge_id,
        disputes.amount,
        cast(disputes.created_at as timestamp) as created_at,
        known_until.ledger_until as returned_at,
    from {{ ref('stg_stripe__disputes') }} as disputes
    cross join known_until
    where disputes.status = 'lost' and not disputes.is_deleted

),

returned as (

    -- the first return of a payment stands for all of them
    select
        returns.return_id,
        top_ups.customer_id,
        top_ups.payment_intent_id,
        top_ups.currency,
        sum(returns.amount) over (partition by top_ups.payment_intent_id) as returned_amount,
        max(returns.returned_at) over (partition by top_ups.payment_intent_id) as returned_at,
        returns.created_at,
    from returns
    inner join top_ups on returns.charge_id = top_ups.payment_id
    qualify row_number() over (partition by top_ups.payment_intent_id order by returns.created_at, returns.return_id) = 1

),

voided as (

    select
        *,
        sum(-movement) over (partition by credit_block_id) as voided_credit,
        max(created_at) over (partition by credit_block_id) as voided_at,
    from movements
    where entry_type = 'void' and cost_basis > 0
    qualify row_number() over (partition by credit_block_id order by ledger_position) = 1

),

left_over as (

    -- what the block still had after its credit was voided, or else when the money went back; all of it, if it was granted later still
    select
        returned.return_id,
        movements.block_balance,
        movements.cost_basis,
        voided.voided_credit,
    from returned
    inner join movements on returned.payment_intent_id = movements.payment_intent_id
    left join voided on movements.credit_block_id = voided.credit_block_id
    where movements.entry_type = 'increment' or movements.created_at <= coalesce(voided.voided_at, returned.returned_at)
    qualify row_number() over (partition by returned.return_id order by movements.ledger_position desc) = 1

),

owed as (

    -- credit that is used up cannot be voided
    select
        returned.*,
        {{ multiply('left_over.block_balance + coalesce(left_over.voided_credit, 0)', 'left_over.cost_basis') }} as voidable_amount,
    from returned
    inner join left_over on returned.return_id = left_over.return_id

),

left_side as (

    select
        owed.return_id as ref,
        owed.customer_id,
        {{ year_month(date_of('owed.created_at')) }} as period,
        owed.currency,
        {{ to_decimal('least(owed.returned_amount, owed.voidable_amount)') }} as amount,
        owed.payment_intent_id,
        owed.returned_at,
        known_until.ledger_until,
    from owed
    cross join known_until
    where owed.voidable_amount > 0

),

right_side as (

    select
        ledger_entry_id as ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        {{ multiply('voided_credit', 'cost_basis') }} as amount,
        payment_intent_id,
        credit_block_id,
    from voided

),

{%- set voided_by = add_to_timestamp('day', 'settings.window_days', 'l.returned_at') %}

{{ reconcile(
    comparison='credits__refunds_vs_voids',
    passes=[
        {'rule': 'payment_intent', 'on': 'r.payment_intent_id = l.payment_intent_id', 'nearest': 'r.ref'},
    ],
    causes=[
        {'cause': 'void_differs', 'status': 'timing', 'when': 'm.right_ref is null and ' ~ voided_by ~ ' > l.ledger_until'},
        {'cause': 'void_differs', 'when': 'm.is_different'},
    ],
    evidence={
        'payment_intent_id': 'coalesce(l.payment_intent_id, r.payment_intent_id)',
        'credit_block_id': 'r.credit_block_id',
        'returned_at': instant_text('l.returned_at'),
        'clears_by': instant_text(voided_by),
    },
    upstream={'credits__movements_vs_balances': 1},
) }}
