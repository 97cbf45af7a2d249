with payments as (

    select * from {{ ref('fct_payments') }}
    where status = 'succeeded'

),

movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

known_until as (

    -- a payment and its grant are seconds apart, but two systems are not read in the same second
    select
        (select max(paid_at) from payments) as payments_until,
        (select max(created_at) from movements) as ledger_until,

),

left_side as (

    select
        payments.payment_id as ref,
        payments.customer_id,
        {{ year_month(date_of('payments.paid_at')) }} as period,
        payments.currency,
        payments.amount,
        payments.payment_intent_id,
        payments.paid_at,
        known_until.ledger_until,
    from payments
    cross join known_until
    where payments.purpose = 'top_up'

),

right_side as (

    -- credit that Orb sold on an invoice of its own, or allots with a plan, is paid with that invoice
    select
        grants.ledger_entry_id as ref,
        grants.customer_id,
        {{ year_month(date_of('grants.created_at')) }} as period,
        grants.currency,
        {{ multiply('grants.movement', 'grants.cost_basis') }} as amount,
        grants.payment_intent_id,
        grants.credit_block_id,
        wallet.kind as wallet_kind,
        grants.created_at,
        known_until.payments_until,
    from movements as grants
    cross join known_until
    left join {{ ref('stg_app__wallet_transactions') }} as wallet on grants.wallet_transaction_id = wallet.wallet_transaction_id
    where
        grants.entry_type = 'increment'
        and grants.cost_basis > 0
        and grants.created_invoice_id is null
        and coalesce(grants.credit_block_source, 'manual') in ('manual', 'top_up')

),

{%- set same_amount = 'case when r.currency = l.currency and r.amount = l.amount then 0 else 1 end' %}
{%- set days_to_grant = date_difference('day', date_of('l.paid_at'), date_of('r.created_at')) %}
{%- set granted_by = add_to_timestamp('day', 'settings.window_days', 'l.paid_at') %}
{%- set paid_by = add_to_timestamp('day', 'settings.window_days', 'r.created_at') %}

{{ reconcile(
    comparison='credits__topups_vs_grants',
    passes=[
        {'rule': 'payment_intent', 'on': 'r.payment_intent_id = l.payment_intent_id', 'nearest': same_amount ~ ', r.created_at'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.payment_intent_id = l.payment_intent_id'},
        {
            'rule': 'customer_amount_window',
            'on': 'r.customer_id = l.customer_id and r.currency = l.currency and r.amount = l.amount',
            'within': 'abs(' ~ days_to_grant ~ ') <= settings.window_days',
            'nearest': 'abs(' ~ days_to_grant ~ ')',
        },
    ],
    causes=[
        {'cause': 'topup_not_granted', 'status': 'timing', 'when': 'm.right_ref is null and ' ~ granted_by ~ ' > l.ledger_until'},
        {'cause': 'topup_not_granted', 'when': 'm.right_ref is null'},
        {'cause': 'promo_with_cost_basis', 'when': "m.left_ref is null and r.wallet_kind = 'promotional_grant'"},
        {'cause': 'grant_not_paid', 'status': 'timing', 'when': 'm.left_ref is null and ' ~ paid_by ~ ' > r.payments_until'},
        {'cause': 'grant_not_paid', 'when': "m.left_ref is null or m.match_rule = 'second_claim'"},
        {'cause': 'unexplained', 'when': 'l.customer_id <> r.customer_id'},
        {'cause': 'grant_amount_differs', 'when': 'm.is_different'},
    ],
    evidence={
        'payment_intent_id': 'coalesce(l.payment_intent_id, r.payment_intent_id)',
        'credit_block_id': 'r.credit_block_id',
        'wallet_kind': 'r.wallet_kind',
        'paid_customer_id': 'l.customer_id',
        'granted_customer_id': 'r.customer_id',
        'paid_at': instant_text('l.paid_at'),
        'granted_at': instant_text('r.created_at'),
        'clears_by': instant_text('coalesce(' ~ granted_by ~ ', ' ~ paid_by ~ ')'),
    },
    upstream={'credits__movements_vs_balances': -1},
) }}
