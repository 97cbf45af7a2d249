with taken_back as (

    -- what credit was sold on: its document has given the money back, or asks for it no more
    select invoice_id
    from {{ ref('fct_credit_notes') }}
    where not is_void
    union distinct
    select invoice_id
    from {{ ref('fct_invoices') }}
    where status = 'void'

),

movements as (

    select
        ledger.ledger_entry_id,
        ledger.customer_id,
        draws.product_id,
        ledger.currency,
        ledger.entry_type,
        returned.return_kind,
        taken_back.invoice_id is not null as is_taken_back,
        draws.amount as used_amount,
        {{ multiply('ledger.movement', 'ledger.cost_basis') }} as paid_amount,
        {{ date_of('ledger.created_at') }} as entry_date,
    from {{ ref('int_credits__ledger_movements') }} as ledger
    left join {{ ref('int_credits__returned_top_ups') }} as returned on ledger.payment_intent_id = returned.payment_intent_id
    left join taken_back on ledger.created_invoice_id = taken_back.invoice_id
    left join {{ ref('int_revenue__credit_draws') }} as draws on ledger.ledger_entry_id = draws.ledger_entry_id
    left join {{ ref('dim_customers') }} as customers on ledger.customer_id = customers.customer_id
    where ledger.movement <> 0 and not coalesce(customers.is_internal, false)

),

legs as (

    select
        'credit_grant' as entry_kind,
        ledger_entry_id as entry_key,
        ledger_entry_id as document_id,
        'top_ups_to_grant' as account_id,
        customer_id,
        cast(null as string) as product_id,
        currency,
        paid_amount as amount,
        entry_date,
    from movements
    where entry_type = 'increment'
    union all
    select
        'credit_void' as entry_kind,
        ledger_entry_id as entry_key,
        ledger_entry_id as document_id,
        case
            when is_taken_back then 'top_ups_to_grant'
            when return_kind = 'disputed' then 'disputes'
            else 'refunds_payable'
        end as account_id,
        customer_id,
        cast(null as string) as product_id,
        currency,
        paid_amount as amount,
        entry_date,
    from movements
    where entry_type = 'void'
    union all
    -- a credit settles its face value of use, and what nobody paid of it is given away
    {% for account, amount in [('unbilled_receivable', '-used_amount'), ('promotional_credit', 'used_amount + paid_amount')] -%}
    select
        'credit_use' as entry_kind,
        ledger_entry_id as entry_key,
        ledger_entry_id as document_id,
        '{{ account }}' as account_id,
        customer_id,
        product_id,
        currency,
        {{ amount }} as amount,
        entry_date,
    from movements
    where entry_type in ('decrement', 'amendment') and used_amount is not null
    union all
    {% endfor -%}
    -- what was drawn for an invoice that does not stand is owed to the customer again
    select
        'credit_use' as entry_kind,
        ledger_entry_id as entry_key,
        ledger_entry_id as document_id,
        'top_ups_to_grant' as account_id,
        customer_id,
        cast(null as string) as product_id,
        currency,
        paid_amount as amount,
        entry_date,
    from movements
    where entry_type in ('decrement', 'amendment') and used_amount is null
    union all
    select
        case
            when entry_type = 'increment' then 'credit_grant'
            when entry_type = 'void' then 'credit_void'
            else 'credit_use'
        end as entry_kind,
        ledger_entry_id as entry_key,
        ledger_entry_id as document_id,
        'credit_liability' as account_id,
        customer_id,
        cast(null as string) as product_id,
        currency,
        -paid_amount as amount,
        entry_date,
    from movements
    where entry_type in ('increment', 'void', 'decrement', 'amendment')
    {% for account, sign in [('credit_liability', ''), ('breakage_revenue', '-')] -%}
    union all
    -- what expires is booked by the breakage policy, not by the entry of the ledger
    select
        'breakage' as entry_kind,
        concat(credit_block_id, '/', {{ decimal_text('cost_basis') }}, '/', {{ iso_date('revenue_date') }}) as entry_key,
        credit_block_id as document_id,
        '{{ account }}' as account_id,
        customer_id,
        cast(null as string) as product_id,
        currency,
        {{ to_decimal(sign ~ 'amount') }} as amount,
        revenue_date as entry_date,
    from {{ ref('int_revenue__breakage') }}
    where breakage_policy = '{{ var("breakage_policy") }}'
    {% endfor %}
)

{{ journal_lines('legs') }}
