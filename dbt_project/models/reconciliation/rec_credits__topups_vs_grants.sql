with payments as (

    select * from {{ ref('fct_payments') }}
    where status = 'succeeded'

),

sold as (

    -- what an invoice asks for credit, before tax
    select
        lines.invoice_id,
        lines.customer_id,
        lines.currency,
        invoices.invoice_date,
        invoices.issued_at,
        invoices.status = 'void' as is_void,
        {{ sum_decimal('lines.adjusted_amount') }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where lines.line_kind = 'prepaid_credit'
    group by lines.invoice_id, lines.customer_id, lines.currency, invoices.invoice_date, invoices.issued_at, invoices.status

),

movements as (

    select
        *,
        sum(case when entry_type in ('increment', 'void') then movement else 0 end) over (partition by credit_block_id) as kept_movement,
    from {{ ref('int_credits__ledger_movements') }}

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
        cast(null as string) as invoice_id,
        payments.invoice_id as paid_invoice_id,
        payments.paid_at,
        known_until.ledger_until,
    from payments
    cross join known_until
    left join sold on payments.invoice_id = sold.invoice_id
    where payments.purpose = 'top_up' and sold.invoice_id is null
    union all
    -- credit that Orb sold on an invoice of its own is paid for with that invoice, and a void one asks for nothing
    select
        sold.invoice_id as ref,
        sold.customer_id,
        {{ year_month('sold.invoice_date') }} as period,
        sold.currency,
        sold.amount,
        cast(null as string) as payment_intent_id,
        sold.invoice_id,
        cast(null as string) as paid_invoice_id,
        sold.issued_at as paid_at,
        known_until.ledger_until,
    from sold
    cross join known_until
    where not sold.is_void

),

right_side as (

    -- what Orb allots with a plan is paid with the plan's invoice; of credit sold on a void invoice only what is not voided too lacks its money
    select
        grants.ledger_entry_id as ref,
        grants.customer_id,
        {{ year_month(date_of('grants.created_at')) }} as period,
        grants.currency,
        {{ multiply('case when sold.is_void then grants.kept_movement else grants.movement end', 'grants.cost_basis') }} as amount,
        grants.payment_intent_id,
        grants.created_invoice_id,
        grants.credit_block_id,
        wallet.kind as wallet_kind,
        grants.created_at,
        known_until.payments_until,
    from movements as grants
    cross join known_until
    left join sold on grants.created_invoice_id = sold.invoice_id
    left join {{ ref('stg_app__wallet_transactions') }} as wallet on grants.wallet_transaction_id = wallet.wallet_transaction_id
    where
        grants.entry_type = 'increment'
        and grants.cost_basis > 0
        and coalesce(grants.credit_block_source, 'manual') in ('manual', 'top_up')
        and not coalesce(sold.is_void and grants.kept_movement = 0, false)

),

{%- set same_amount = 'case when r.currency = l.currency and r.amount = l.amount then 0 else 1 end' %}
{%- set days_to_grant = date_difference('day', date_of('l.paid_at'), date_of('r.created_at')) %}
{#- money or grant names an invoice, and the other knows nothing of it: its line would be earned as a fee -#}
{%- set invoice_differs = 'l.paid_invoice_id is not null or (l.invoice_id is null and r.created_invoice_id is not null)' %}
{%- set granted_by = add_to_timestamp('day', 'settings.window_days', 'l.paid_at') %}
{%- set paid_by = add_to_timestamp('day', 'settings.window_days', 'r.created_at') %}

{{ reconcile(
    comparison='credits__topups_vs_grants',
    passes=[
        {'rule': 'payment_intent', 'on': 'r.payment_intent_id = l.payment_intent_id', 'nearest': same_amount ~ ', r.created_at'},
        {'rule': 'created_invoice', 'on': 'r.created_invoice_id = l.invoice_id', 'nearest': same_amount ~ ', r.created_at'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.payment_intent_id = l.payment_intent_id'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.created_invoice_id = l.invoice_id'},
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
        {'cause': 'unexplained', 'when': invoice_differs},
    ],
    evidence={
        'payment_intent_id': 'coalesce(l.payment_intent_id, r.payment_intent_id)',
        'orb_invoice_id': 'coalesce(l.invoice_id, l.paid_invoice_id, r.created_invoice_id)',
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
