{#- a line-day is earned against what is not invoiced yet, or out of what was invoiced ahead of it -#}
with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

days as (

    -- what an invoice bills in advance is earned when its day has come
    select
        days.*,
        not days.is_billed or days.revenue_date < days.invoice_date as is_before_invoice,
    from {{ ref('int_revenue__line_days') }} as days
    cross join known
    where days.revenue_date <= known.known_on

),

legs as (

    {% for account, sign in [
        ("case when is_before_invoice then 'unbilled_receivable' else 'deferred_revenue' end", ''),
        ("case when revenue_kind = 'discount' then 'discounts' else 'revenue' end", '-'),
    ] -%}
    select
        'earned' as entry_kind,
        concat(invoice_id, '/', {{ iso_date('revenue_date') }}) as entry_key,
        {{ account }} as account_id,
        customer_id,
        product_id,
        invoice_id as document_id,
        currency,
        {{ sign }}amount as amount,
        revenue_date as entry_date,
    from days
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{{ journal_lines('legs') }}
