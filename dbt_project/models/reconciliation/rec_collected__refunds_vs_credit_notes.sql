{#- left: money given back for invoices, by refunds and by disputes that were lost; right: the credit notes that say so -#}
with credited as (

    select
        links.refund_id,
        links.stripe_credit_note_id,
        links.amount,
        refunds.stripe_invoice_id,
        refunds.customer_id,
        refunds.currency,
        refunds.status,
        {{ date_of('refunds.created_at') }} as returned_on,
    from {{ ref('int_cash__credited_refunds') }} as links
    inner join {{ ref('fct_refunds') }} as refunds on links.refund_id = refunds.refund_id

),

linked as (

    select
        refund_id,
        {{ sum_decimal('amount') }} as amount,
    from credited
    group by refund_id

),

stripe_clock as (

    -- Stripe's own: by ours, a feed that stands still would turn every pending refund into a break
    select max({{ date_of('created_at') }}) as today
    from {{ ref('fct_payments') }}

),

returned as (

    -- a credit note may name several refunds
    select
        case when count(*) = 1 then min(refund_id) else concat(stripe_credit_note_id, '/refunds') end as ref,
        'refund' as kind,
        stripe_credit_note_id,
        min(stripe_invoice_id) as stripe_invoice_id,
        min(customer_id) as customer_id,
        currency,
        {{ sum_decimal("case when status = 'succeeded' then amount else 0 end") }} as amount,
        {{ sum_decimal("case when status in ('pending', 'requires_action') then amount else 0 end") }} as pending_amount,
        max(case when status in ('failed', 'canceled') then 1 else 0 end) = 1 as has_failed,
        max(returned_on) as returned_on,
    from credited
    group by stripe_credit_note_id, currency
    union all
    select
        case when linked.refund_id is null then refunds.refund_id else concat(refunds.refund_id, '/rest') end as ref,
        'refund' as kind,
        cast(null as string) as stripe_credit_note_id,
        refunds.stripe_invoice_id,
        refunds.customer_id,
        refunds.currency,
        {{ to_decimal('refunds.amount - coalesce(linked.amount, 0)') }} as amount,
        {{ decimal_literal('0') }} as pending_amount,
        false as has_failed,
        {{ date_of('refunds.created_at') }} as returned_on,
    from {{ ref('fct_refunds') }} as refunds
    left join linked on refunds.refund_id = linked.refund_id
    where refunds.status = 'succeeded' and refunds.purpose = 'invoice' and refunds.amount <> coalesce(linked.amount, 0)
    union all
    select
        dispute_id as ref,
        'dispute' as kind,
        cast(null as string) as stripe_credit_note_id,
        stripe_invoice_id,
        customer_id,
        currency,
        amount,
        {{ decimal_literal('0') }} as pending_amount,
        false as has_failed,
        {{ date_of('created_at') }} as returned_on,
    from {{ ref('fct_disputes') }}
    where status = 'lost' and purpose = 'invoice'

),

left_side as (

    select
        returned.*,
        {{ year_month('returned.returned_on') }} as period,
        stripe_clock.today,
    from returned
    cross join stripe_clock

),

right_side as (

    select
        stripe_credit_note_id as ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        returned_amount as amount,
        stripe_invoice_id,
        credit_note_number,
        {{ date_of('created_at') }} as credited_on,
    from {{ ref('fct_stripe_credit_notes') }}
    where status = 'issued' and returned_amount <> 0

),

{%- set clears_by = add_to_date('day', 'settings.window_days', 'l.returned_on') %}

{{ reconcile(
    comparison='collected__refunds_vs_credit_notes',
    passes=[
        {'rule': 'named_by_credit_note', 'on': 'r.ref = l.stripe_credit_note_id'},
        {
            'rule': 'invoice_and_amount',
            'on': 'r.stripe_invoice_id = l.stripe_invoice_id and r.currency = l.currency and r.amount = l.amount',
            'nearest': 'abs(' ~ date_difference('day', 'l.returned_on', 'r.credited_on') ~ ')',
        },
        {
            'rule': 'invoice_and_nearly_the_amount',
            'on': 'r.stripe_invoice_id = l.stripe_invoice_id and r.currency = l.currency',
            'within': '100 * abs(l.amount - r.amount) <= l.amount',
            'nearest': 'abs(l.amount - r.amount)',
        },
    ],
    causes=[
        {'cause': 'refund_pending', 'status': 'timing', 'when': 'm.is_different and m.difference = -l.pending_amount and ' ~ clears_by ~ ' >= l.today'},
        {'cause': 'refund_overdue', 'when': 'm.is_different and m.difference = -l.pending_amount'},
        {'cause': 'refund_failed', 'when': 'm.is_different and l.has_failed'},
        {'cause': 'dispute_not_booked', 'when': "m.right_ref is null and l.kind = 'dispute'"},
        {'cause': 'refund_without_credit_note', 'when': 'm.right_ref is null and m.difference > 0'},
        {'cause': 'credit_note_without_refund', 'when': 'm.left_ref is null'},
    ],
    evidence={
        'kind': 'l.kind',
        'stripe_invoice_id': 'coalesce(l.stripe_invoice_id, r.stripe_invoice_id)',
        'credit_note_number': 'r.credit_note_number',
        'returned_on': 'cast(l.returned_on as string)',
        'credited_on': 'cast(r.credited_on as string)',
        'clears_by': 'case when l.pending_amount <> 0 then cast(' ~ clears_by ~ ' as string) end',
    },
) }}
