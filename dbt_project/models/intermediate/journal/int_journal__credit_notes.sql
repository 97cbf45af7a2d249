with lost_disputes as (

    select distinct payments.invoice_id
    from {{ ref('fct_disputes') }} as disputes
    inner join {{ ref('fct_payments') }} as payments on disputes.payment_id = payments.payment_id
    where disputes.status = 'lost' and payments.invoice_id is not null

),

refunded as (

    select distinct stripe.credit_note_id
    from {{ ref('fct_stripe_credit_notes') }} as stripe
    inner join {{ ref('int_cash__credited_refunds') }} as refunds on stripe.stripe_credit_note_id = refunds.stripe_credit_note_id
    where stripe.credit_note_id is not null

),

lines as (

    select
        lines.credit_note_id,
        lines.customer_id,
        lines.product_id,
        lines.currency,
        case
            when notes.credit_note_type = 'adjustment' then 'accounts_receivable'
            when lost_disputes.invoice_id is not null and refunded.credit_note_id is null then 'disputes'
            else 'refunds_payable'
        end as settled_by,
        lines.amount,
        lines.tax_amount,
        lines.is_prepaid_credit,
        lines.is_reversal,
        lines.revenue_date,
    from {{ ref('int_revenue__credit_note_lines') }} as lines
    inner join {{ ref('fct_credit_notes') }} as notes on lines.credit_note_id = notes.credit_note_id
    left join lost_disputes on lines.invoice_id = lost_disputes.invoice_id
    left join refunded on lines.credit_note_id = refunded.credit_note_id

),

{%- set taken_from = "case when is_prepaid_credit then 'top_ups_to_grant' else 'credit_notes' end" %}

legs as (

    {% for account, amount in [(taken_from, '-amount'), ("'taxes_payable'", '-tax_amount'), ('settled_by', 'amount + tax_amount')] -%}
    select
        case when is_reversal then 'credit_note_void' else 'credit_note' end as entry_kind,
        credit_note_id as entry_key,
        {{ account }} as account_id,
        customer_id,
        {{ 'product_id' if account == taken_from else 'cast(null as string)' }} as product_id,
        credit_note_id as document_id,
        currency,
        {{ to_decimal(amount) }} as amount,
        revenue_date as entry_date,
    from lines
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{{ journal_lines('legs') }}
