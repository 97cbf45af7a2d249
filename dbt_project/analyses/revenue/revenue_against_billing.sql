-- Why did revenue of the month differ from what we billed?
-- Each row adds up from left to right: what we billed, before tax and after credit, and all that lies between it and revenue.

with billed as (

    select
        lines.currency,
        {{ sum_decimal('lines.adjusted_amount - lines.credits_applied_amount') }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        {{ in_month('invoices.invoice_date') }}
        and invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal
        and lines.line_kind <> 'prepaid_credit'
    group by lines.currency

),

unbilled as (

    select
        currency,
        {{ sum_decimal('drawn_amount') }} as drawn_amount,
        {{ sum_decimal('closing_amount - opening_amount') }} as change_amount,
    from {{ ref('fct_unbilled_receivable') }}
    where period = '{{ var("month") }}'
    group by currency

),

deferred as (

    select
        currency,
        {{ sum_decimal("case when recognised_period = '" ~ var('month') ~ "' then recognised_amount else 0 end") }} as earned_amount,
        {{ sum_decimal("case when booked_period = '" ~ var('month') ~ "' then recognised_amount else 0 end") }} as booked_amount,
    from {{ ref('fct_deferred_revenue') }}
    group by currency

),

revenue as (

    select
        currency,
        {{ sum_decimal("case when revenue_kind = 'credit_note' then amount else 0 end") }} as credit_note_amount,
        {{ sum_decimal("case when revenue_kind = 'promotional_credit' then amount else 0 end") }} as promotional_amount,
        {{ sum_decimal("case when revenue_kind = 'breakage' then amount else 0 end") }} as breakage_amount,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_revenue_daily') }}
    where {{ in_month('revenue_date') }}
    group by currency

)

select
    revenue.currency,
    coalesce(billed.amount, 0) as billed_amount,
    coalesce(unbilled.drawn_amount, 0) as paid_by_credit_amount,
    coalesce(unbilled.change_amount, 0) as more_unbilled_amount,
    coalesce(deferred.earned_amount - deferred.booked_amount, 0) as less_deferred_amount,
    revenue.credit_note_amount,
    revenue.promotional_amount,
    revenue.breakage_amount,
    revenue.amount as revenue_amount,
from revenue
left join billed on revenue.currency = billed.currency
left join unbilled on revenue.currency = unbilled.currency
left join deferred on revenue.currency = deferred.currency
order by revenue.currency
