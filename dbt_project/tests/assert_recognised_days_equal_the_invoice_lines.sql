{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_revenue_daily'}}}) }}

-- What is recognised over a line's days is the line before tax and credits, to the last minor unit: all of an invoice's, and what was used of a draft's.
with billed as (

    select
        lines.invoice_line_id,
        case when invoices.status = 'draft' then lines.adjusted_amount - lines.minimum_amount else lines.adjusted_amount end as adjusted_amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        (invoices.status in ('issued', 'synced', 'paid') or (invoices.status = 'draft' and lines.line_kind = 'usage'))
        and not invoices.is_internal
        and lines.line_kind <> 'prepaid_credit'

),

recognised as (

    select
        invoice_line_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_revenue__line_days') }}
    where is_billed or revenue_kind in ('usage', 'discount')
    group by invoice_line_id

)

select
    coalesce(billed.invoice_line_id, recognised.invoice_line_id) as invoice_line_id,
    billed.adjusted_amount,
    recognised.amount,
from billed
full outer join recognised on billed.invoice_line_id = recognised.invoice_line_id
where coalesce(billed.adjusted_amount, 0) <> coalesce(recognised.amount, 0)
