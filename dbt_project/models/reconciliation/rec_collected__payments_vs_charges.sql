{#- left: what was paid for, right: the money that was taken for it -#}
with intents as (

    select
        payment_intent_id,
        customer_id as stripe_customer_id,
        latest_charge_id,
        purpose,
        currency,
        amount_received,
        created_at,
    from {{ ref('stg_stripe__payment_intents') }}
    where is_livemode and not is_deleted

),

applied as (

    select
        coalesce(payments.payment_intent_id, payments.charge_id) as ref,
        payments.currency,
        min(payments.stripe_invoice_id) as stripe_invoice_id,
        min(payments.created_at) as created_at,
        {{ sum_decimal('payments.amount_paid') }} as amount,
    from {{ ref('int_cash__invoice_payments') }} as payments
    where payments.status = 'paid' and not payments.is_outside_stripe
    group by coalesce(payments.payment_intent_id, payments.charge_id), payments.currency

),

collected_by_orb as (

    select
        attempts.payment_provider_id as ref,
        attempts.currency,
        min(attempts.invoice_id) as invoice_id,
        min(attempts.created_at) as created_at,
        {{ sum_decimal('attempts.amount') }} as amount,
    from {{ ref('stg_orb__invoice_payment_attempts') }} as attempts
    inner join {{ ref('fct_payments') }} as payments
        on
            attempts.payment_provider_id = coalesce(payments.payment_intent_id, payments.payment_id)
            and attempts.invoice_id = payments.invoice_id
    where
        attempts.is_succeeded
        and not attempts.is_deleted
        and payments.status = 'succeeded'
        and payments.purpose = 'invoice'
        and payments.stripe_invoice_id is null
    group by attempts.payment_provider_id, attempts.currency

),

paid_for as (

    select
        applied.ref,
        invoices.customer_id,
        'invoice' as purpose,
        applied.currency,
        applied.amount,
        intents.latest_charge_id,
        applied.stripe_invoice_id,
        {{ date_of('coalesce(intents.created_at, applied.created_at)') }} as paid_on,
    from applied
    left join intents on applied.ref = intents.payment_intent_id
    left join {{ ref('fct_stripe_invoices') }} as invoices on applied.stripe_invoice_id = invoices.stripe_invoice_id
    union all
    -- what Orb collected without an invoice in Stripe
    select
        collected.ref,
        invoices.customer_id,
        'invoice' as purpose,
        collected.currency,
        collected.amount,
        intents.latest_charge_id,
        cast(null as string) as stripe_invoice_id,
        {{ date_of('coalesce(intents.created_at, collected.created_at)') }} as paid_on,
    from collected_by_orb as collected
    left join intents on collected.ref = intents.payment_intent_id
    left join {{ ref('fct_invoices') }} as invoices on collected.invoice_id = invoices.invoice_id
    union all
    select
        intents.payment_intent_id as ref,
        ids.customer_id,
        'top_up' as purpose,
        intents.currency,
        intents.amount_received as amount,
        intents.latest_charge_id,
        cast(null as string) as stripe_invoice_id,
        {{ date_of('intents.created_at') }} as paid_on,
    from intents
    left join applied on intents.payment_intent_id = applied.ref
    left join {{ ref('int_customers__stripe_ids') }} as ids on intents.stripe_customer_id = ids.stripe_customer_id
    where intents.purpose = 'top_up' and intents.amount_received > 0 and applied.ref is null

),

left_side as (

    select
        *,
        {{ year_month('paid_on') }} as period,
    from paid_for

),

right_side as (

    -- of money that pays for nothing, what was given back is settled
    select
        payment_id as ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        {{ to_decimal("case when purpose = 'other' then amount_captured - amount_refunded else amount_captured end") }} as amount,
        coalesce(payment_intent_id, payment_id) as paid_for,
        purpose,
        created_at,
        {{ date_of('created_at') }} as paid_on,
    from {{ ref('fct_payments') }}
    where status = 'succeeded' and (purpose <> 'other' or amount_captured <> amount_refunded)

),

{%- set same_amount = 'case when r.currency = l.currency and r.amount = l.amount then 0 else 1 end' %}
{%- set days_apart = 'abs(' ~ date_difference('day', 'l.paid_on', 'r.paid_on') ~ ')' %}

{{ reconcile(
    comparison='collected__payments_vs_charges',
    passes=[
        {'rule': 'payment_intent', 'on': 'r.paid_for = l.ref', 'nearest': same_amount ~ ', r.created_at'},
        {'rule': 'second_charge', 'kind': 'repeated', 'on': 'r.paid_for = l.ref'},
        {
            'rule': 'same_debt',
            'kind': 'repeated',
            'on': 'r.customer_id = l.customer_id and r.currency = l.currency and r.amount = l.amount',
            'within': "r.purpose = 'other' and " ~ days_apart ~ ' <= settings.window_days',
            'nearest': days_apart,
        },
    ],
    causes=[
        {'cause': 'charged_twice', 'when': "m.match_rule in ('second_charge', 'same_debt')"},
        {'cause': 'charge_unapplied', 'when': "m.left_ref is null and r.purpose = 'other'"},
        {'cause': 'unexplained', 'when': 'm.is_different'},
        {'cause': 'payment_customer_differs', 'when': 'l.customer_id <> r.customer_id'},
    ],
    evidence={
        'purpose': 'coalesce(l.purpose, r.purpose)',
        'stripe_invoice_id': 'l.stripe_invoice_id',
        'latest_charge_id': 'l.latest_charge_id',
        'invoiced_customer_id': 'l.customer_id',
        'charged_customer_id': 'r.customer_id',
        'paid_on': 'cast(l.paid_on as string)',
        'charged_on': 'cast(r.paid_on as string)',
    },
) }}
