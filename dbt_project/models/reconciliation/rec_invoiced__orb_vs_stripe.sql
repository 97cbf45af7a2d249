{#- a draft is not owed yet, unless its time has come; a voided invoice no longer; nothing due is never handed to Stripe -#}
with voided_in_stripe as (

    select distinct invoice_id
    from {{ ref('fct_stripe_invoices') }}
    where status = 'void'

),

orb_clock as (

    -- the last thing that Orb did: by our clock, a feed that stands still would turn every draft into a break
    select max(happened_at) as now
    from (
        select coalesce(voided_at, paid_at, issued_at) as happened_at from {{ ref('fct_invoices') }}
        union all
        select created_at as happened_at from {{ ref('fct_credit_ledger') }}
    ) as happened

),

collected_by_orb as (

    -- Orb also collects by a charge alone: the money then stands for the invoice that Stripe was never given
    select
        invoice_id,
        min(payment_id) as payment_id,
        min(customer_id) as customer_id,
        currency,
        {{ sum_decimal('amount_captured') }} as amount,
        min(created_at) as created_at,
    from {{ ref('fct_payments') }}
    where status = 'succeeded' and invoice_id is not null and stripe_invoice_id is null
    group by invoice_id, currency

),

left_side as (

    select
        orb.invoice_id as ref,
        orb.customer_id,
        {{ year_month('orb.invoice_date') }} as period,
        orb.currency,
        orb.amount_due as amount,
        orb.invoice_number,
        orb.status,
        orb.tax_amount,
        orb.invoice_date,
        orb.due_date,
        orb.to_issue_at,
        orb.issued_at,
        orb_clock.now,
        voided.invoice_id is not null as is_void_in_stripe,
    from {{ ref('fct_invoices') }} as orb
    cross join orb_clock
    left join voided_in_stripe as voided on orb.invoice_id = voided.invoice_id
    where
        orb.amount_due > 0
        and (orb.status in ('issued', 'synced', 'paid') or orb.status = 'draft' and orb.to_issue_at < orb_clock.now)

),

right_side as (

    select
        stripe.stripe_invoice_id as ref,
        stripe.customer_id,
        {{ year_month('stripe.invoice_date') }} as period,
        stripe.currency,
        stripe.total_amount as amount,
        stripe.invoice_id as orb_invoice_id,
        stripe.invoice_number,
        stripe.status,
        stripe.tax_amount,
        stripe.invoice_date,
        stripe.due_date,
        stripe.created_at,
        named.status as orb_status,
    from {{ ref('fct_stripe_invoices') }} as stripe
    left join {{ ref('fct_invoices') }} as named on stripe.invoice_id = named.invoice_id
    where stripe.status in ('open', 'paid', 'uncollectible')
    union all
    select
        collected.payment_id as ref,
        collected.customer_id,
        {{ year_month(date_of('collected.created_at')) }} as period,
        collected.currency,
        collected.amount,
        collected.invoice_id as orb_invoice_id,
        cast(null as string) as invoice_number,
        'paid' as status,
        cast(null as {{ decimal_type() }}) as tax_amount,
        cast(null as date) as invoice_date,
        cast(null as date) as due_date,
        collected.created_at,
        named.status as orb_status,
    from collected_by_orb as collected
    left join {{ ref('fct_invoices') }} as named on collected.invoice_id = named.invoice_id

),

{%- set days_apart = 'abs(' ~ date_difference('day', 'l.invoice_date', 'r.invoice_date') ~ ')' %}
{%- set may_still_issue = add_to_timestamp('day', 'settings.window_days', 'l.to_issue_at') ~ ' >= l.now' %}
{%- set should_be_synced = add_to_timestamp('day', 'settings.window_days', 'l.issued_at') ~ ' < l.now' %}
{%- set status_differs = "(r.status = 'uncollectible' or l.status = 'issued' and " ~ should_be_synced ~ ')' %}
{%- set other_number = 'case when r.invoice_number = l.invoice_number then 0 else 1 end' %}
{%- set only_tax = 'l.tax_amount <> r.tax_amount and (m.difference = l.tax_amount - r.tax_amount or not m.is_different)' %}

{{ reconcile(
    comparison='invoiced__orb_vs_stripe',
    passes=[
        {'rule': 'shared_id', 'on': 'r.orb_invoice_id = l.ref', 'nearest': other_number ~ ', r.created_at'},
        {'rule': 'invoice_number', 'on': 'r.invoice_number = l.invoice_number', 'nearest': 'r.created_at'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.orb_invoice_id = l.ref'},
        {
            'rule': 'customer_amount_window',
            'on': 'r.customer_id = l.customer_id and r.currency = l.currency and r.amount = l.amount',
            'within': 'r.orb_status is null and ' ~ days_apart ~ ' <= settings.window_days',
            'nearest': days_apart,
        },
    ],
    causes=[
        {'cause': 'invoice_synced_twice', 'when': "m.match_rule = 'second_claim'"},
        {'cause': 'draft_in_grace', 'status': 'timing', 'when': "l.status = 'draft' and m.right_ref is null and " ~ may_still_issue},
        {'cause': 'draft_past_grace', 'when': "l.status = 'draft' and m.right_ref is null"},
        {'cause': 'void_in_stripe_only', 'when': 'm.right_ref is null and l.is_void_in_stripe'},
        {'cause': 'invoice_not_synced', 'when': 'm.right_ref is null'},
        {'cause': 'void_in_orb_only', 'when': "m.left_ref is null and r.orb_status = 'void'"},
        {'cause': 'invoice_unknown_to_orb', 'when': 'm.left_ref is null and r.orb_status is null'},
        {'cause': 'invoice_currency_differs', 'when': 'l.currency <> r.currency'},
        {'cause': 'invoice_customer_differs', 'when': 'l.customer_id <> r.customer_id'},
        {'cause': 'invoice_tax_differs', 'when': only_tax},
        {'cause': 'invoice_amount_differs', 'when': 'm.is_different and m.left_ref is not null'},
        {'cause': 'invoice_status_differs', 'when': 'not m.is_different and ' ~ status_differs},
        {'cause': 'invoice_due_date_differs', 'when': 'l.due_date <> r.due_date'},
        {'cause': 'unexplained', 'when': days_apart ~ ' > settings.window_days or r.orb_invoice_id <> l.ref'},
    ],
    evidence={
        'tax_difference': decimal_text('l.tax_amount - r.tax_amount'),
        'orb_status': 'coalesce(l.status, r.orb_status)',
        'stripe_status': 'r.status',
        'stripe_names_orb_invoice': 'r.orb_invoice_id',
        'orb_invoice_number': 'l.invoice_number',
        'stripe_invoice_number': 'r.invoice_number',
        'orb_customer_id': 'l.customer_id',
        'stripe_customer_id': 'r.customer_id',
        'orb_invoice_date': iso_date('l.invoice_date'),
        'stripe_invoice_date': iso_date('r.invoice_date'),
        'orb_due_date': iso_date('l.due_date'),
        'stripe_due_date': iso_date('r.due_date'),
        'to_issue_at': instant_text('l.to_issue_at'),
    },
) }}
