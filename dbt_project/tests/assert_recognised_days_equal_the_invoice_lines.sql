{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_revenue_daily'}}}) }}

-- What is recognised over a line's days is the line before tax and credits, to the last minor unit.
with billed as (

    select
        lines.invoice_line_id,
        lines.adjusted_amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where invoices.status in ('issued', 'synced', 'paid') and not invoices.is_internal

),

recognised as (

    select
        invoice_line_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_revenue__line_days') }}
    group by invoice_line_id

)

select
    coalesce(billed.invoice_line_id, recognised.invoice_line_id) as invoice_line_id,
    billed.adjusted_amount,
    recognised.amount,
from billed
full outer join recognised on billed.invoice_line_id = recognised.invoice_line_id
where coalesce(billed.adjusted_amount, 0) <> coalesce(recognised.amount, 0)
