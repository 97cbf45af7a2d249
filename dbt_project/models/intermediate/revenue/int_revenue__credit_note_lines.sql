with notes as (

    select notes.*
    from {{ ref('fct_credit_notes') }} as notes
    inner join {{ ref('fct_invoices') }} as invoices on notes.invoice_id = invoices.invoice_id
    where
        invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal

),

credited as (

    -- a credit note names the item and repeats the line's name, but not its id
    select
        lines.credit_note_line_id,
        lines.credit_note_id,
        lines.invoice_id,
        invoice_lines.invoice_line_id,
        lines.item_id,
        invoice_lines.price_id,
        lines.amount,
        lines.tax_amount,
    from {{ ref('stg_orb__credit_note_lines') }} as lines
    left join {{ ref('stg_orb__invoice_lines') }} as invoice_lines
        on
            lines.invoice_id = invoice_lines.invoice_id
            and lines.item_id = invoice_lines.item_id
            and not invoice_lines.is_deleted
    where not lines.is_deleted
    qualify row_number() over (
        partition by lines.credit_note_id, lines.credit_note_line_id
        order by
            case when invoice_lines.line_name = lines.line_name then 0 else 1 end,
            invoice_lines.adjusted_subtotal_amount desc,
            invoice_lines.invoice_line_id
    ) = 1

),

booked as (

    {% for day, sign in [('created_at', '-'), ('voided_at', '+')] -%}
    select
        credited.credit_note_line_id,
        credited.credit_note_id,
        credited.invoice_id,
        credited.invoice_line_id,
        notes.customer_id,
        credited.item_id,
        credited.price_id,
        notes.currency,
        {{ sign }}credited.amount as amount,
        {{ sign }}credited.tax_amount as tax_amount,
        {{ 'true' if day == 'voided_at' else 'false' }} as is_reversal,
        {{ date_of('notes.' ~ day) }} as revenue_date,
    from credited
    inner join notes on credited.credit_note_id = notes.credit_note_id
    where notes.{{ day }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    booked.credit_note_line_id,
    booked.credit_note_id,
    booked.invoice_id,
    booked.invoice_line_id,
    booked.customer_id,
    items.product_code as product_id,
    booked.price_id,
    booked.currency,
    {{ to_decimal('booked.amount') }} as amount,
    {{ to_decimal('booked.tax_amount') }} as tax_amount,
    coalesce(invoice_lines.line_kind = 'prepaid_credit', false) as is_prepaid_credit,
    booked.is_reversal,
    booked.revenue_date,
from booked
left join {{ ref('fct_invoice_lines') }} as invoice_lines on booked.invoice_line_id = invoice_lines.invoice_line_id
left join {{ ref('stg_orb__items') }} as items on booked.item_id = items.item_id
