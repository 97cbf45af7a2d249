{#- each transaction of Stripe's balance is one entry: clearing and fee in its own currency, the other side in that of what was paid -#}
with payments as (

    select
        payments.payment_id,
        payments.balance_transaction_id,
        coalesce(invoices.customer_id, payments.customer_id) as customer_id,
        payments.currency,
        payments.amount_captured,
        case
            when coalesce(invoices.is_internal, customers.is_internal, false) then 'internal_tenants'
            when invoices.invoice_id is not null then 'accounts_receivable'
            when payments.purpose = 'top_up' then 'top_ups_to_grant'
            else 'unapplied_cash'
        end as account_id,
    from {{ ref('fct_payments') }} as payments
    left join {{ ref('fct_invoices') }} as invoices on payments.invoice_id = invoices.invoice_id and invoices.status <> 'draft'
    left join {{ ref('dim_customers') }} as customers on payments.customer_id = customers.customer_id

),

movements as (

    select
        'payment' as entry_kind,
        balance_transaction_id,
        customer_id,
        currency,
        -amount_captured as amount,
        account_id,
    from payments
    where balance_transaction_id is not null
    {% for transaction, sign in [('balance_transaction_id', ''), ('failure_balance_transaction_id', '-')] -%}
    union all
    -- money that came without a document goes back without one
    select
        '{{ 'refund' if transaction == 'balance_transaction_id' else 'refund_failure' }}' as entry_kind,
        {{ to_string('refunds.' ~ transaction) }} as balance_transaction_id,
        refunds.customer_id,
        refunds.currency,
        {{ to_decimal(sign ~ 'refunds.amount') }} as amount,
        case when payments.account_id in ('internal_tenants', 'unapplied_cash') then payments.account_id else 'refunds_payable' end as account_id,
    from {{ ref('fct_refunds') }} as refunds
    left join payments on refunds.payment_id = payments.payment_id
    where refunds.{{ transaction }} is not null
    {% endfor -%}
    union all
    select
        'dispute' as entry_kind,
        transactions.balance_transaction_id,
        disputes.customer_id,
        disputes.currency,
        {{ to_decimal('-sign(transactions.gross_amount) * disputes.amount') }} as amount,
        case when payments.account_id = 'internal_tenants' then 'internal_tenants' else 'disputes' end as account_id,
    from {{ ref('fct_balance_transactions') }} as transactions
    inner join {{ ref('fct_disputes') }} as disputes on transactions.source_id = disputes.dispute_id
    left join payments on disputes.payment_id = payments.payment_id

),

movements_of_transactions as (

    -- a transaction that two objects name is in the balance once
    select *
    from movements
    qualify row_number() over (partition by balance_transaction_id order by entry_kind, currency, amount, customer_id, account_id) = 1

),

transactions as (

    select
        case
            when movements.entry_kind is not null then movements.entry_kind
            when transactions.type in ('payout', 'payout_cancel', 'payout_failure') then 'payout'
            when transactions.type in ('stripe_fee', 'stripe_fx_fee', 'network_cost', 'tax_fee') then 'fee'
            else 'unknown'
        end as entry_kind,
        transactions.balance_transaction_id,
        movements.customer_id,
        transactions.currency,
        coalesce(movements.currency, transactions.currency) as counter_currency,
        transactions.gross_amount,
        transactions.net_amount,
        coalesce(movements.amount, -transactions.gross_amount) as counter_amount,
        case
            when movements.balance_transaction_id is not null then movements.account_id
            when transactions.type in ('payout', 'payout_cancel', 'payout_failure') then 'payouts_in_transit'
            when transactions.type in ('stripe_fee', 'stripe_fx_fee', 'network_cost', 'tax_fee') then 'processing_fees'
            -- the second transaction of a charge, and whatever Stripe takes or gives for no object that is known here
            else 'unapplied_cash'
        end as account_id,
        {{ date_of('transactions.created_at') }} as entry_date,
    from {{ ref('fct_balance_transactions') }} as transactions
    left join movements_of_transactions as movements on transactions.balance_transaction_id = movements.balance_transaction_id

),

{%- set legs = [
    ("'stripe_clearing'", 'currency', 'net_amount'),
    ("'processing_fees'", 'currency', 'gross_amount - net_amount'),
    ("'currency_conversion'", 'currency', '-gross_amount'),
    ("'currency_conversion'", 'counter_currency', '-counter_amount'),
    ('account_id', 'counter_currency', 'counter_amount'),
] %}

legs as (

    {% for account, currency, amount in legs -%}
    select
        entry_kind,
        balance_transaction_id as entry_key,
        {{ account }} as account_id,
        {{ "cast(null as string)" if account == "'stripe_clearing'" else 'customer_id' }} as customer_id,
        cast(null as string) as product_id,
        balance_transaction_id as document_id,
        {{ currency }} as currency,
        {{ amount }} as amount,
        entry_date,
    from transactions
    union all
    {% endfor -%}
    -- a deposit that no payout explains stays in transit, with the sign of one too many
    {% for account, sign in [('cash', ''), ('payouts_in_transit', '-')] -%}
    select
        'deposit' as entry_kind,
        bank_line_id as entry_key,
        '{{ account }}' as account_id,
        cast(null as string) as customer_id,
        cast(null as string) as product_id,
        bank_line_id as document_id,
        currency,
        {{ to_decimal(sign ~ 'amount') }} as amount,
        booked_on as entry_date,
    from {{ ref('fct_bank_lines') }}
    where amount > 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

{{ journal_lines('legs') }}
