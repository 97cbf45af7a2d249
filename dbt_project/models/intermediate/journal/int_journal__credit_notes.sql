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

notes as (

    select
        notes.credit_note_id,
        notes.customer_id,
        notes.currency,
        case
            when notes.credit_note_type = 'adjustment' then 'accounts_receivable'
            when lost_disputes.invoice_id is not null and refunded.credit_note_id is null then 'disputes'
            else 'refunds_payable'
        end as settled_by,
        {{ date_of('notes.created_at') }} as created_on,
        {{ date_of('notes.voided_at') }} as voided_on,
    from {{ ref('fct_credit_notes') }} as notes
    inner join {{ ref('fct_invoices') }} as invoices on notes.invoice_id = invoices.invoice_id
    left join lost_disputes on notes.invoice_id = lost_disputes.invoice_id
    left join refunded on notes.credit_note_id = refunded.credit_note_id
    where not invoices.is_internal

),

lines as (

    select
        lines.credit_note_id,
        items.product_code as product_id,
        lines.subtotal_amount,
        lines.tax_amount,
    from {{ ref('stg_orb__credit_note_lines') }} as lines
    left join {{ ref('stg_orb__items') }} as items on lines.item_id = items.item_id
    where not lines.is_deleted

),

{%- set accounts = {
    "'credit_notes'": 'lines.subtotal_amount',
    "'taxes_payable'": 'lines.tax_amount',
    'notes.settled_by': '-lines.subtotal_amount - lines.tax_amount',
} %}

legs as (

    {% for account, amount in accounts.items() -%}
    select
        {{ account }} as account_id,
        notes.credit_note_id,
        notes.customer_id,
        {{ 'lines.product_id' if account == "'credit_notes'" else 'cast(null as string)' }} as product_id,
        notes.currency,
        {{ to_decimal(amount) }} as amount,
        notes.created_on,
        notes.voided_on,
    from notes
    inner join lines on notes.credit_note_id = lines.credit_note_id
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{% for kind, sign, day in [('credit_note', '', 'created_on'), ('credit_note_void', '-', 'voided_on')] -%}
select
    '{{ kind }}' as entry_kind,
    credit_note_id as entry_key,
    account_id,
    customer_id,
    product_id,
    credit_note_id as document_id,
    currency,
    {{ sign }}amount as amount,
    {{ day }} as entry_date,
from legs
where {{ day }} is not null
{{ 'union all' if not loop.last }}
{% endfor %}
