{#- left: what the parts of a document come to, right: what Orb states; a part that is out of step counts at what puts it in step -#}
with rated_wrongly as (

    -- lines, and invoices in another currency: what is named there is not named here again
    select right_ref as ref
    from {{ ref('rec_rated__usage_vs_lines') }}
    where status = 'break' and right_ref is not null

),

lines as (

    select
        lines.invoice_line_id,
        lines.invoice_id,
        lines.currency,
        lines.quantity,
        case when lines.price_type = 'composite_price' then 1 else lines.fixed_price_quantity end as quantity_of_fee,
        lines.subtotal_amount,
        lines.adjusted_subtotal_amount,
        lines.credits_applied_amount,
        lines.partially_invoiced_amount,
        lines.tax_amount,
        lines.amount,
        {{ to_decimal(json_text('lines.tax_amounts', '$[0].tax_rate_percentage')) }} as tax_percent,
        {{ date_of('lines.period_start_at') }} as period_start,
        {{ date_of('lines.period_end_at') }} as period_end,
        abs(lines.usage_discount_amount) + abs(lines.amount_discount_amount) + abs(lines.percentage_discount_amount)
        + abs(lines.maximum_adjustment_amount) - abs(lines.minimum_adjustment_amount) as taken_off,
        case
            when {{ json_array_length('lines.sub_line_items', '$') }} > 0 and rated_wrongly.ref is null
                then {{ json_array_sum('lines.sub_line_items', '$', '$.amount') }}
        end as exact_amount_of_parts,
        case
            when {{ json_array_length('lines.sub_line_items', '$') }} > 0
                then {{ json_array_sum('lines.sub_line_items', '$', '$.quantity') }}
        end as quantity_of_parts,
    from {{ ref('stg_orb__invoice_lines') }} as lines
    left join rated_wrongly on lines.invoice_line_id = rated_wrongly.ref
    where not lines.is_deleted

),

lines_of_invoices as (

    select
        invoice_id,
        max(tax_percent) as tax_percent,
        {{ sum_decimal('subtotal_amount') }} as subtotals,
        {{ sum_decimal('adjusted_subtotal_amount + taken_off') }} as subtotals_in_step,
        {{ sum_decimal('amount + tax_amount') }} as amounts,
        {{ sum_decimal('adjusted_subtotal_amount - credits_applied_amount - partially_invoiced_amount + tax_amount') }} as amounts_in_step,
        {{ sum_decimal('subtotal_amount - taken_off - credits_applied_amount - partially_invoiced_amount + tax_amount') }} as amounts_from_subtotals,
    from lines
    group by invoice_id

),

attempts as (

    select
        invoice_id,
        {{ sum_decimal('case when is_succeeded then amount else 0 end') }} as amount,
    from {{ ref('stg_orb__invoice_payment_attempts') }}
    group by invoice_id

),

notes_on_invoices as (

    select
        {{ json_text('note', '$.id') }} as credit_note_id,
        {{ to_decimal(json_text('note', '$.total')) }} as total_amount,
    from {{ ref('stg_orb__invoices') }} as invoices
    {{ unnest_json_array('invoices.credit_notes', '$', 'note', 'note_offset') }}
    where not invoices.is_deleted

),

lines_of_notes as (

    select
        credit_note_id,
        {{ sum_decimal('subtotal_amount') }} as subtotals,
        {{ sum_decimal('amount + tax_amount') }} as amounts,
        {{ sum_decimal('subtotal_amount + tax_amount') }} as amounts_in_step,
    from {{ ref('stg_orb__credit_note_lines') }}
    where not is_deleted
    group by credit_note_id

),

figures as (

    select
        lines.invoice_line_id as ref,
        lines.invoice_id,
        'invoice line' as document,
        case
            when lines.quantity_of_parts <> lines.quantity or lines.quantity_of_fee <> lines.quantity then 'quantity'
            -- where the other lines end with the invoice, and this one neither ends nor begins with it
            when
                lines.period_end <> invoices.invoice_date
                and lines.period_start <> invoices.invoice_date
                and max(case when lines.period_end = invoices.invoice_date then 1 else 0 end) over (partition by lines.invoice_id) = 1
                then 'period'
        end as out_of_step,
        {{ stated_figures([
            ('subtotal', round_to_minor_unit('lines.exact_amount_of_parts', 'lines.currency'), 'lines.subtotal_amount'),
            ('adjusted_subtotal', 'lines.subtotal_amount - lines.taken_off', 'lines.adjusted_subtotal_amount'),
            ('amount', 'lines.adjusted_subtotal_amount - lines.credits_applied_amount - lines.partially_invoiced_amount', 'lines.amount'),
        ]) }}
    from lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    union all
    select
        invoices.invoice_id as ref,
        invoices.invoice_id,
        'invoice' as document,
        case
            when abs({{ date_difference('day', date_of('invoices.invoiced_at'), date_of('invoices.issued_at')) }}) > 3 then 'invoice_date'
            when customers.external_customer_id <> invoices.external_customer_id then 'customer'
            when invoices.status = 'draft' and invoices.issued_at is not null then 'status'
            when
                subscriptions.net_terms_days is not null
                and invoices.due_at is not null
                and {{ date_difference('day', date_of('invoices.invoiced_at'), date_of('invoices.due_at')) }}
                <> coalesce(contracts.net_terms_days, subscriptions.net_terms_days)
                then 'due_date'
            when contracts.net_terms_days <> subscriptions.net_terms_days then 'net_terms'
            when subscriptions.currency <> invoices.currency and rated_wrongly.ref is null then 'currency'
            when contracts.tax_percent <> parts.tax_percent then 'tax_percent'
        end as out_of_step,
        {{ stated_figures([
            (
                'subtotal',
                'case when invoices.subtotal_amount = parts.subtotals_in_step then invoices.subtotal_amount '
                ~ 'else coalesce(parts.subtotals, 0) end',
                'invoices.subtotal_amount',
            ),
            (
                'total',
                'case when invoices.total_amount in (parts.amounts_in_step, parts.amounts_from_subtotals) then invoices.total_amount '
                ~ 'else coalesce(parts.amounts, 0) end',
                'invoices.total_amount',
            ),
            ('payments', "case when invoices.status = 'paid' then coalesce(attempts.amount, case when invoices.payment_started_at is not null then 0 end) end", 'invoices.amount_due'),
            ('amount_due', 'case when not invoices.is_settled_by_balance then invoices.total_amount end', 'invoices.amount_due'),
        ]) }}
    from {{ ref('stg_orb__invoices') }} as invoices
    left join lines_of_invoices as parts on invoices.invoice_id = parts.invoice_id
    left join attempts on invoices.invoice_id = attempts.invoice_id
    left join {{ ref('stg_orb__customers') }} as customers on invoices.customer_id = customers.customer_id
    left join {{ ref('stg_orb__subscriptions') }} as subscriptions on invoices.subscription_id = subscriptions.subscription_id
    left join rated_wrongly on invoices.invoice_id = rated_wrongly.ref
    left join {{ ref('stg_app__contracts') }} as contracts on subscriptions.contract_id = contracts.contract_id and not contracts.is_deleted
    where not invoices.is_deleted
    union all
    select
        notes.credit_note_id as ref,
        notes.invoice_id,
        'credit note' as document,
        cast(null as string) as out_of_step,
        {{ stated_figures([
            ('total_on_the_invoice', 'on_invoice.total_amount', 'notes.total_amount'),
            ('subtotal', 'coalesce(parts.subtotals, 0)', 'notes.subtotal_amount'),
            ('total', 'coalesce(parts.amounts, 0)', 'notes.total_amount'),
        ]) }}
    from {{ ref('stg_orb__credit_notes') }} as notes
    left join lines_of_notes as parts on notes.credit_note_id = parts.credit_note_id
    left join notes_on_invoices as on_invoice on notes.credit_note_id = on_invoice.credit_note_id
    where not notes.is_deleted

),

{% for side, amount in [('left_side', 'parts_amount'), ('right_side', 'stated_amount')] -%}
{{ side }} as (

    select
        figures.ref,
        invoices.customer_id,
        {{ year_month('invoices.invoice_date') }} as period,
        invoices.currency,
        figures.{{ amount }} as amount,
        figures.invoice_id,
        figures.document,
        figures.figure,
        figures.out_of_step,
        invoices.orb_subscription_id,
        subscriptions.contract_id,
    from figures
    inner join {{ ref('fct_invoices') }} as invoices on figures.invoice_id = invoices.invoice_id
    left join {{ ref('stg_orb__subscriptions') }} as subscriptions on invoices.orb_subscription_id = subscriptions.subscription_id

),

{% endfor -%}
{{ reconcile(
    comparison='invoiced__orb_parts_vs_totals',
    passes=[
        {'rule': 'document', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.is_different or l.out_of_step is not null'},
    ],
    evidence={
        'document': 'l.document',
        'orb_invoice_id': 'l.invoice_id',
        'orb_subscription_id': 'l.orb_subscription_id',
        'contract_id': 'l.contract_id',
        'figure': "case when m.is_different then l.figure else l.out_of_step end",
    },
    upstream={
        'rated__usage_vs_lines': 1,
        'credits__draws_vs_invoice_lines': 1,
        'invoiced__orb_vs_stripe': -1,
        'invoiced__orb_paid_vs_stripe_paid': 1,
        'collected__invoices_vs_payments': -1,
        'invoiced__orb_vs_stripe_credit_notes': -1,
    },
) }}
