{#- left: what the parts of a document come to, right: what Stripe states; a part that is out of step counts at what puts it in step -#}
with lines_of_invoices as (

    select
        invoice_id,
        {{ sum_decimal('amount') }} as amounts,
        {{ sum_decimal('tax_amount') }} as taxes,
    from {{ ref('stg_stripe__invoice_lines') }}
    where is_livemode and not is_deleted
    group by invoice_id

),

notes as (

    select * from {{ ref('stg_stripe__credit_notes') }}
    where is_livemode and not is_deleted

),

notes_of_invoices as (

    select
        invoice_id,
        {{ sum_decimal('pre_payment_amount') }} as pre_payment,
        {{ sum_decimal('total_amount - post_payment_amount') }} as pre_payment_in_step,
        {{ sum_decimal('post_payment_amount') }} as post_payment,
        {{ sum_decimal('total_amount - pre_payment_amount') }} as post_payment_in_step,
    from notes
    where status = 'issued'
    group by invoice_id

),

lines_of_notes as (

    select
        credit_note_id,
        {{ sum_decimal('amount') }} as amounts,
        {{ sum_decimal('discount_amount') }} as discounts,
        {{ sum_decimal('tax_amount') }} as taxes,
    from {{ ref('stg_stripe__credit_note_lines') }}
    where not is_deleted
    group by credit_note_id

),

paid_outside as (

    select
        stripe_invoice_id,
        {{ sum_decimal('amount_paid') }} as amount,
    from {{ ref('int_cash__invoice_payments') }}
    where status = 'paid' and is_outside_stripe
    group by stripe_invoice_id

),

refunded as (

    select
        stripe_credit_note_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_cash__credited_refunds') }}
    group by stripe_credit_note_id

),

figures as (

    select
        invoices.invoice_id as ref,
        invoices.invoice_id as stripe_invoice_id,
        'invoice' as document,
        {{ stated_figures([
            ('subtotal', 'coalesce(parts.amounts, 0)', 'invoices.subtotal_amount'),
            (
                'subtotal_excluding_tax',
                'invoices.total_excluding_tax_amount + invoices.discount_amount - coalesce(invoices.shipping_amount, 0)',
                'invoices.subtotal_excluding_tax_amount',
            ),
            ('total_taxes', 'coalesce(parts.taxes, 0)', 'invoices.stated_tax_amount'),
            ('total', 'invoices.total_excluding_tax_amount + invoices.stated_tax_amount', 'invoices.total_amount'),
            (
                'pre_payment_credit_notes',
                'invoices.pre_payment_credit_notes_amount',
                'case when invoices.pre_payment_credit_notes_amount = notes.pre_payment_in_step then notes.pre_payment_in_step '
                ~ 'else coalesce(notes.pre_payment, 0) end',
            ),
            (
                'post_payment_credit_notes',
                'invoices.post_payment_credit_notes_amount',
                'case when invoices.post_payment_credit_notes_amount = notes.post_payment_in_step then notes.post_payment_in_step '
                ~ 'else coalesce(notes.post_payment, 0) end',
            ),
            (
                'amount_due',
                'invoices.total_amount - coalesce(invoices.pre_payment_credit_notes_amount, 0) + coalesce(invoices.starting_balance_amount, 0)'
                ~ ' - coalesce(invoices.ending_balance_amount, 0)',
                'invoices.amount_due',
            ),
            ('amount_paid_off_stripe', 'coalesce(paid_outside.amount, 0)', 'invoices.amount_paid_off_stripe'),
            (
                'amount_overpaid',
                'case when invoices.amount_paid > invoices.amount_due then invoices.amount_paid - invoices.amount_due else 0 end',
                'invoices.amount_overpaid',
            ),
            (
                'amount_remaining',
                "case when invoices.status in ('open', 'paid') then case "
                ~ 'when invoices.amount_due > invoices.amount_paid then invoices.amount_due - invoices.amount_paid else 0 end end',
                'invoices.amount_remaining',
            ),
        ]) }}
    from {{ ref('stg_stripe__invoices') }} as invoices
    left join lines_of_invoices as parts on invoices.invoice_id = parts.invoice_id
    left join notes_of_invoices as notes on invoices.invoice_id = notes.invoice_id
    left join paid_outside on invoices.invoice_id = paid_outside.stripe_invoice_id
    union all
    select
        notes.credit_note_id as ref,
        notes.invoice_id as stripe_invoice_id,
        'credit note' as document,
        {{ stated_figures([
            ('subtotal', 'coalesce(parts.amounts, 0)', 'notes.subtotal_amount'),
            ('discount', 'coalesce(parts.discounts, 0)', 'notes.discount_amount'),
            (
                'subtotal_excluding_tax',
                'notes.total_excluding_tax_amount + notes.discount_amount - coalesce(notes.shipping_amount, 0)',
                'notes.subtotal_excluding_tax_amount',
            ),
            ('total_taxes', 'coalesce(parts.taxes, 0)', 'notes.stated_tax_amount'),
            ('total', 'notes.total_excluding_tax_amount + notes.stated_tax_amount', 'notes.total_amount'),
            ('pre_and_post_payment', 'notes.total_amount', 'notes.pre_payment_amount + notes.post_payment_amount'),
            (
                'post_payment',
                'case when notes.customer_balance_transaction_id is null then coalesce(refunded.amount, 0) + coalesce(notes.out_of_band_amount, 0) end',
                'notes.post_payment_amount',
            ),
            ('amount', 'notes.total_amount', 'notes.amount'),
        ]) }}
    from notes
    left join lines_of_notes as parts on notes.credit_note_id = parts.credit_note_id
    left join refunded on notes.credit_note_id = refunded.stripe_credit_note_id
    union all
    select
        invoice_item_id as ref,
        invoice_id as stripe_invoice_id,
        'invoice item' as document,
        {{ stated_figures([('net_amount', 'case when not is_discountable then amount end', 'net_amount')]) }}
    from {{ ref('stg_stripe__invoice_items') }}
    where is_livemode and not is_deleted
    union all
    select
        invoice_line_id as ref,
        invoice_id as stripe_invoice_id,
        'invoice line' as document,
        {{ stated_figures([('subtotal', 'case when not is_discountable then amount end', 'subtotal_amount')]) }}
    from {{ ref('stg_stripe__invoice_lines') }}
    where is_livemode and not is_deleted

),

{% for side, amount in [('left_side', 'parts_amount'), ('right_side', 'stated_amount')] -%}
{{ side }} as (

    select
        figures.ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        invoices.currency,
        figures.{{ amount }} as amount,
        figures.stripe_invoice_id,
        figures.document,
        figures.figure,
    from figures
    inner join {{ ref('fct_stripe_invoices') }} as invoices on figures.stripe_invoice_id = invoices.stripe_invoice_id

),

{% endfor -%}
{{ reconcile(
    comparison='invoiced__stripe_parts_vs_totals',
    passes=[
        {'rule': 'document', 'on': 'r.ref = l.ref'},
    ],
    causes=[],
    evidence={
        'document': 'l.document',
        'stripe_invoice_id': 'l.stripe_invoice_id',
        'figure': 'l.figure',
    },
    upstream={
        'invoiced__stripe_items_vs_lines': -1,
        'invoiced__orb_vs_stripe': 1,
        'invoiced__orb_paid_vs_stripe_paid': 1,
        'invoiced__orb_vs_stripe_credit_notes': 1,
        'collected__invoices_vs_payments': -1,
    },
) }}
