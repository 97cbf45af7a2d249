{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_unbilled_receivable'}}}) }}

-- Over the life of every contract: what a customer's invoices bill is what they have earned and what is still deferred, and what is left
-- unbilled is what drafts have so far and what the credit ledger drew otherwise than the lines say.
with known as (

    select
        {{ date_of('known_at') }} as known_on,
        {{ year_month(date_of('known_at')) }} as known_period,
    from {{ ref('int_core__known_at') }}

),

lines as (

    select
        lines.*,
        invoices.status <> 'draft' as is_billed,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        invoices.status in ('draft', 'issued', 'synced', 'paid')
        and not invoices.is_internal
        and lines.line_kind <> 'prepaid_credit'

),

figures as (

    select
        customer_id,
        currency,
        'billed' as figure,
        adjusted_amount as expected,
        {{ decimal_literal('0') }} as found,
    from lines
    where is_billed
    union all
    select
        customer_id,
        currency,
        'billed' as figure,
        {{ decimal_literal('0') }} as expected,
        amount as found,
    from {{ ref('fct_revenue_daily') }}
    where is_billed and revenue_kind in ('usage', 'fixed_fee', 'percent_fee', 'minimum', 'discount')
    union all
    select
        days.customer_id,
        days.currency,
        'billed' as figure,
        {{ decimal_literal('0') }} as expected,
        days.amount as found,
    from {{ ref('int_revenue__line_days') }} as days
    cross join known
    where days.revenue_date > known.known_on
    union all
    select
        customer_id,
        currency,
        'unbilled' as figure,
        amount as expected,
        {{ decimal_literal('0') }} as found,
    from {{ ref('fct_revenue_daily') }}
    where not is_billed and revenue_kind <> 'promotional_credit'
    union all
    select
        customer_id,
        currency,
        'unbilled' as figure,
        credits_applied_amount as expected,
        {{ decimal_literal('0') }} as found,
    from lines
    where is_billed
    union all
    select
        customer_id,
        currency,
        'unbilled' as figure,
        -amount as expected,
        {{ decimal_literal('0') }} as found,
    from {{ ref('int_revenue__credit_draws') }}
    union all
    select
        unbilled.customer_id,
        unbilled.currency,
        'unbilled' as figure,
        {{ decimal_literal('0') }} as expected,
        unbilled.closing_amount as found,
    from {{ ref('fct_unbilled_receivable') }} as unbilled
    cross join known
    where unbilled.period = known.known_period

)

select
    figures.customer_id,
    figures.currency,
    figures.figure,
    {{ sum_decimal('figures.expected') }} as expected,
    {{ sum_decimal('figures.found') }} as found,
from figures
group by figures.customer_id, figures.currency, figures.figure
having sum(figures.expected) <> sum(figures.found)
