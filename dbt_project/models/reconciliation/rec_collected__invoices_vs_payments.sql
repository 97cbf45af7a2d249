{#- an invoice that waits for its payment is a receivable, not a difference; what was begun is compared with what came -#}
with payments as (

    select
        stripe_invoice_id,
        currency,
        count(*) as payment_count,
        min(invoice_payment_id) as first_payment_id,
        {{ sum_decimal("case when is_outside_stripe then 0 else amount_paid end") }} as amount,
        {{ sum_decimal("case when is_outside_stripe then amount_paid else 0 end") }} as outside_amount,
        {{ sum_decimal("case when status = 'pending' then amount_requested else 0 end") }} as pending_amount,
        max(case when status = 'pending' then {{ date_of('created_at') }} end) as pending_since,
    from {{ ref('int_cash__invoice_payments') }}
    where status in ('pending', 'paid')
    group by stripe_invoice_id, currency

),

stripe_clock as (

    -- Stripe's own: by ours, a feed that stands still would turn every pending payment into a break
    select max({{ date_of('created_at') }}) as today
    from {{ ref('fct_payments') }}

),

left_side as (

    select
        invoices.stripe_invoice_id as ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        invoices.currency,
        case
            when invoices.status = 'paid' then invoices.amount_due
            else {{ to_decimal('invoices.amount_paid + coalesce(payments.pending_amount, 0)') }}
        end as amount,
        invoices.status,
        invoices.invoice_number,
        payments.pending_amount,
        payments.pending_since,
        stripe_clock.today,
    from {{ ref('fct_stripe_invoices') }} as invoices
    cross join stripe_clock
    left join payments on invoices.stripe_invoice_id = payments.stripe_invoice_id and invoices.currency = payments.currency
    where case when invoices.status = 'paid' then invoices.amount_due else invoices.amount_paid + coalesce(payments.pending_amount, 0) end <> 0

),

right_side as (

    select
        case when payments.payment_count = 1 then payments.first_payment_id else concat(payments.stripe_invoice_id, '/payments') end as ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        payments.currency,
        payments.amount,
        payments.stripe_invoice_id,
        payments.payment_count,
        payments.outside_amount,
    from payments
    inner join {{ ref('fct_stripe_invoices') }} as invoices on payments.stripe_invoice_id = invoices.stripe_invoice_id

),

{%- set clears_by = add_to_date('day', 'settings.window_days', 'l.pending_since') %}

{{ reconcile(
    comparison='collected__invoices_vs_payments',
    passes=[
        {'rule': 'invoice', 'on': 'r.stripe_invoice_id = l.ref'},
    ],
    causes=[
        {'cause': 'payment_pending', 'status': 'timing', 'when': 'm.is_different and m.difference = l.pending_amount and ' ~ clears_by ~ ' >= l.today'},
        {'cause': 'payment_overdue', 'when': 'm.is_different and m.difference = l.pending_amount'},
        {'cause': 'paid_out_of_band', 'when': 'm.is_different and (m.right_ref is null or m.difference = r.outside_amount)'},
        {'cause': 'underpaid', 'when': 'm.is_different and l.currency = r.currency and m.difference > 0'},
        {'cause': 'overpaid', 'when': 'm.is_different and l.currency = r.currency and m.difference < 0'},
    ],
    evidence={
        'invoice_number': 'l.invoice_number',
        'invoice_status': 'l.status',
        'payments': 'cast(r.payment_count as string)',
        'pending_since': 'cast(l.pending_since as string)',
        'clears_by': 'cast(' ~ clears_by ~ ' as string)',
    },
) }}
