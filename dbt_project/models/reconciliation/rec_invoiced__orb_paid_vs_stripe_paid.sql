with pairs as (

    -- a pair that already differs in what is owed differs in what is paid too: one cause, one break.
    -- A date or a status is not what is owed. Where Orb collected without an invoice in Stripe, the money itself was compared
    select
        matches.left_ref as invoice_id,
        matches.right_ref as stripe_invoice_id,
    from {{ ref('rec_invoiced__orb_vs_stripe') }} as matches
    inner join {{ ref('fct_stripe_invoices') }} as stripe on matches.right_ref = stripe.stripe_invoice_id
    where matches.status = 'matched' or matches.cause in ('invoice_status_differs', 'invoice_due_date_differs')

),

left_side as (

    select
        orb.invoice_id as ref,
        orb.customer_id,
        {{ year_month('orb.invoice_date') }} as period,
        orb.currency,
        orb.amount_paid as amount,
        orb.status,
        orb.paid_at,
    from pairs
    inner join {{ ref('fct_invoices') }} as orb on pairs.invoice_id = orb.invoice_id

),

right_side as (

    select
        stripe.stripe_invoice_id as ref,
        stripe.customer_id,
        {{ year_month('stripe.invoice_date') }} as period,
        stripe.currency,
        stripe.amount_paid as amount,
        pairs.invoice_id,
        stripe.status,
        stripe.paid_at,
    from pairs
    inner join {{ ref('fct_stripe_invoices') }} as stripe on pairs.stripe_invoice_id = stripe.stripe_invoice_id

),

{{ reconcile(
    comparison='invoiced__orb_paid_vs_stripe_paid',
    passes=[
        {'rule': 'matched_invoice', 'on': 'r.invoice_id = l.ref'},
    ],
    causes=[
        {'cause': 'paid_in_stripe_only', 'when': 'm.is_different and l.amount = 0'},
        {'cause': 'paid_in_orb_only', 'when': 'm.is_different and r.amount = 0'},
        {'cause': 'invoice_status_differs', 'when': "not m.is_different and (l.status = 'paid') <> (r.status = 'paid')"},
    ],
    evidence={
        'orb_status': 'l.status',
        'stripe_status': 'r.status',
        'orb_paid_at': instant_text('l.paid_at'),
        'stripe_paid_at': instant_text('r.paid_at'),
    },
) }}
