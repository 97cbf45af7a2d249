with invoices as (

    select * from {{ ref('fct_invoices') }}
    where (status in ('issued', 'synced', 'paid') or status = 'void' and issued_at is not null) and not is_internal

),

still_to_come as (

    select
        invoice_line_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_revenue__line_days') }}
    where is_billed and revenue_date >= invoice_date
    group by invoice_line_id

),

lines as (

    -- nothing of a voided invoice is earned: between its two days all of it is still to come
    select
        invoices.invoice_id,
        invoices.customer_id,
        lines.product_id,
        invoices.currency,
        invoices.status,
        {{ to_decimal('lines.adjusted_amount - lines.credits_applied_amount') }} as net_amount,
        lines.tax_amount,
        case when lines.line_kind = 'prepaid_credit' then lines.adjusted_amount else {{ decimal_literal('0') }} end as prepaid_amount,
        case
            when lines.line_kind = 'prepaid_credit' then {{ decimal_literal('0') }}
            when invoices.status = 'void' then {{ to_decimal('lines.adjusted_amount - lines.credits_applied_amount') }}
            else coalesce(still_to_come.amount, {{ decimal_literal('0') }})
        end as deferred_amount,
        invoices.invoice_date,
        coalesce({{ date_of('invoices.voided_at') }}, invoices.invoice_date) as void_date,
    from invoices
    inner join {{ ref('fct_invoice_lines') }} as lines on invoices.invoice_id = lines.invoice_id
    left join still_to_come on lines.invoice_line_id = still_to_come.invoice_line_id

),

{%- set accounts = {
    'accounts_receivable': 'net_amount + tax_amount',
    'unbilled_receivable': 'deferred_amount + prepaid_amount - net_amount',
    'deferred_revenue': '-deferred_amount',
    'top_ups_to_grant': '-prepaid_amount',
    'taxes_payable': '-tax_amount',
} %}

invoiced as (

    {% for account, amount in accounts.items() -%}
    select
        '{{ account }}' as account_id,
        invoice_id,
        customer_id,
        {{ 'product_id' if account in ('unbilled_receivable', 'deferred_revenue') else 'cast(null as string)' }} as product_id,
        currency,
        status,
        {{ to_decimal(amount) }} as amount,
        invoice_date,
        void_date,
    from lines
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

written_off as (

    select
        stripe.stripe_invoice_id,
        stripe.invoice_id,
        invoices.customer_id,
        stripe.currency,
        stripe.amount_remaining as amount,
        {{ date_of('stripe.marked_uncollectible_at') }} as entry_date,
    from {{ ref('fct_stripe_invoices') }} as stripe
    inner join invoices on stripe.invoice_id = invoices.invoice_id
    where stripe.status = 'uncollectible'

),

legs as (

    select
        'invoice' as entry_kind,
        invoice_id as entry_key,
        account_id,
        customer_id,
        product_id,
        invoice_id as document_id,
        currency,
        amount,
        invoice_date as entry_date,
    from invoiced
    union all
    select
        'invoice_void' as entry_kind,
        invoice_id as entry_key,
        account_id,
        customer_id,
        product_id,
        invoice_id as document_id,
        currency,
        -amount as amount,
        void_date as entry_date,
    from invoiced
    where status = 'void'
    {% for account, sign in [('bad_debt', ''), ('accounts_receivable', '-')] -%}
    union all
    select
        'write_off' as entry_kind,
        stripe_invoice_id as entry_key,
        '{{ account }}' as account_id,
        customer_id,
        cast(null as string) as product_id,
        invoice_id as document_id,
        currency,
        {{ to_decimal(sign ~ 'amount') }} as amount,
        entry_date,
    from written_off
    {% endfor %}
)

{{ journal_lines('legs') }}
