{#- the credit notes of an invoice that one side lacks are lacking with it: only pairs go on -#}
with pairs as (

    select
        left_ref as invoice_id,
        right_ref as stripe_invoice_id,
    from {{ ref('rec_invoiced__orb_vs_stripe') }}
    where left_ref is not null and right_ref is not null and match_rule <> 'second_claim'

),

left_side as (

    select
        notes.credit_note_id as ref,
        notes.customer_id,
        {{ year_month(date_of('notes.created_at')) }} as period,
        notes.currency,
        notes.total_amount as amount,
        notes.credit_note_number,
        notes.credit_note_type,
        notes.invoice_id,
        {{ date_of('notes.created_at') }} as credited_on,
    from {{ ref('fct_credit_notes') }} as notes
    inner join pairs on notes.invoice_id = pairs.invoice_id
    where not notes.is_void

),

right_side as (

    select
        notes.stripe_credit_note_id as ref,
        notes.customer_id,
        {{ year_month(date_of('notes.created_at')) }} as period,
        notes.currency,
        notes.total_amount as amount,
        notes.credit_note_id,
        notes.credit_note_number,
        notes.credit_note_type,
        pairs.invoice_id,
        notes.created_at,
        {{ date_of('notes.created_at') }} as credited_on,
    from {{ ref('fct_stripe_credit_notes') }} as notes
    inner join pairs on notes.stripe_invoice_id = pairs.stripe_invoice_id
    where notes.status = 'issued'

),

{%- set days_apart = 'abs(' ~ date_difference('day', 'l.credited_on', 'r.credited_on') ~ ')' %}

{{ reconcile(
    comparison='invoiced__orb_vs_stripe_credit_notes',
    passes=[
        {'rule': 'shared_id', 'on': 'r.credit_note_id = l.ref', 'nearest': 'r.created_at'},
        {'rule': 'credit_note_number', 'on': 'r.credit_note_number = l.credit_note_number', 'nearest': 'r.created_at'},
    ],
    causes=[
        {'cause': 'credit_note_one_sided', 'when': 'm.left_ref is null or m.right_ref is null'},
        {'cause': 'credit_note_amount_differs', 'when': 'm.is_different and l.currency = r.currency'},
        {
            'cause': 'unexplained',
            'when': 'l.customer_id <> r.customer_id or l.invoice_id <> r.invoice_id or ' ~ days_apart ~ ' > settings.window_days',
        },
    ],
    evidence={
        'orb_credit_note_number': 'l.credit_note_number',
        'stripe_credit_note_number': 'r.credit_note_number',
        'orb_customer_id': 'l.customer_id',
        'stripe_customer_id': 'r.customer_id',
        'orb_invoice_id': 'l.invoice_id',
        'stripe_names_orb_invoice': 'r.invoice_id',
        'orb_credited_on': 'cast(l.credited_on as string)',
        'stripe_credited_on': 'cast(r.credited_on as string)',
        'orb_type': 'l.credit_note_type',
        'stripe_type': 'r.credit_note_type',
    },
) }}
