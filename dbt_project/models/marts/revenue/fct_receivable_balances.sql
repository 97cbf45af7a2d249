with invoices as (

    select * from {{ ref('fct_invoices') }}
    where (status in ('issued', 'synced', 'paid') or status = 'void' and issued_at is not null) and not is_internal

),

changes as (

    select
        invoice_id,
        amount_due as amount,
        invoice_date as change_date,
    from invoices
    union all
    select
        invoice_id,
        -amount_due as amount,
        coalesce({{ date_of('voided_at') }}, invoice_date) as change_date,
    from invoices
    where status = 'void'
    union all
    -- money counts when Stripe's balance has it
    select
        payments.invoice_id,
        -payments.amount_captured as amount,
        {{ date_of('transactions.created_at') }} as change_date,
    from {{ ref('fct_payments') }} as payments
    inner join {{ ref('fct_balance_transactions') }} as transactions on payments.balance_transaction_id = transactions.balance_transaction_id
    union all
    -- a note on a paid invoice gives money back and leaves nothing less to pay
    {% for day, sign in [('created_at', '-'), ('voided_at', '')] -%}
    select
        notes.invoice_id,
        {{ sign }}notes.total_amount as amount,
        {{ date_of('notes.' ~ day) }} as change_date,
    from {{ ref('fct_credit_notes') }} as notes
    inner join invoices on notes.invoice_id = invoices.invoice_id
    where invoices.status <> 'void' and notes.credit_note_type = 'adjustment' and notes.{{ day }} is not null
    union all
    {% endfor -%}
    select
        invoice_id,
        -amount_remaining as amount,
        {{ date_of('marked_uncollectible_at') }} as change_date,
    from {{ ref('fct_stripe_invoices') }}
    where status = 'uncollectible'

),

days as (

    select
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        invoices.invoice_date,
        coalesce(invoices.due_date, invoices.invoice_date) as due_date,
        changes.change_date,
        {{ sum_decimal('changes.amount') }} as amount,
    from changes
    inner join invoices on changes.invoice_id = invoices.invoice_id
    group by
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        invoices.invoice_date,
        coalesce(invoices.due_date, invoices.invoice_date),
        changes.change_date
    having sum(changes.amount) <> 0

)

select
    {{ surrogate_key(['invoice_id', iso_date('change_date')]) }} as receivable_balance_id,
    invoice_id,
    customer_id,
    currency,
    amount as change_amount,
    {{ to_decimal('sum(amount) over invoice_to_date') }} as open_amount,
    invoice_date,
    due_date,
    change_date as valid_from,
    lead(change_date) over invoice_to_date as valid_to,
    {{ certified_through() }} as certified_through,
from days
window invoice_to_date as (partition by invoice_id order by change_date)
