{#- left: what was put on an invoice, right: the lines that it has of it -#}
with invoices as (

    -- an invoice of another customer, or in another currency, than Orb's is named there, not item by item
    select
        invoices.*,
        named.right_ref is not null as is_named,
    from {{ ref('fct_stripe_invoices') }} as invoices
    left join {{ ref('rec_invoiced__orb_vs_stripe') }} as named
        on invoices.stripe_invoice_id = named.right_ref and named.cause in ('invoice_customer_differs', 'invoice_currency_differs')

),

left_side as (

    select
        items.invoice_item_id as ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        items.currency,
        items.amount,
        items.invoice_id as stripe_invoice_id,
        items.customer_id as stripe_customer_id,
        case when not invoices.is_named then invoices.stripe_customer_id end as invoiced_stripe_customer_id,
        items.period_start_at,
        items.period_end_at,
    from {{ ref('stg_stripe__invoice_items') }} as items
    inner join invoices on items.invoice_id = invoices.stripe_invoice_id
    where items.is_livemode and not items.is_deleted

),

right_side as (

    -- a line of a subscription is made without an item
    select
        lines.invoice_line_id as ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        lines.currency,
        lines.amount,
        lines.invoice_item_id,
        lines.invoice_id as stripe_invoice_id,
        case when not invoices.is_named then invoices.currency end as invoice_currency,
        lines.period_start_at,
        lines.period_end_at,
    from {{ ref('stg_stripe__invoice_lines') }} as lines
    inner join invoices on lines.invoice_id = invoices.stripe_invoice_id
    where lines.is_livemode and not lines.is_deleted and lines.invoice_item_id is not null

),

{{ reconcile(
    comparison='invoiced__stripe_items_vs_lines',
    passes=[
        {'rule': 'invoice_item', 'on': 'r.invoice_item_id = l.ref', 'nearest': 'r.ref'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.invoice_item_id = l.ref'},
    ],
    causes=[
        {
            'cause': 'unexplained',
            'when': 'm.is_different or l.stripe_invoice_id <> r.stripe_invoice_id or l.stripe_customer_id <> l.invoiced_stripe_customer_id'
            ~ ' or r.currency <> r.invoice_currency or l.period_start_at <> r.period_start_at or l.period_end_at <> r.period_end_at',
        },
    ],
    evidence={
        'item_on_invoice': 'l.stripe_invoice_id',
        'line_on_invoice': 'r.stripe_invoice_id',
        'item_of_customer': 'l.stripe_customer_id',
        'invoice_of_customer': 'l.invoiced_stripe_customer_id',
        'invoice_item_id': 'coalesce(l.ref, r.invoice_item_id)',
        'service_of_item': "concat(" ~ instant_text('l.period_start_at') ~ ", ' to ', " ~ instant_text('l.period_end_at') ~ ")",
        'service_of_line': "concat(" ~ instant_text('r.period_start_at') ~ ", ' to ', " ~ instant_text('r.period_end_at') ~ ")",
    },
) }}
