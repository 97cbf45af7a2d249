{#- every Stripe stream that says livemode: stream, id, id of the customer, money -#}
{%- set streams = [
    ('customers', 'customer_id', 'customer_id', none),
    ('products', 'product_id', none, none),
    ('prices', 'price_id', none, none),
    ('subscriptions', 'subscription_id', 'customer_id', none),
    ('invoices', 'invoice_id', 'customer_id', 'total_amount'),
    ('invoice_items', 'invoice_item_id', 'customer_id', 'amount'),
    ('invoice_lines', 'invoice_line_id', none, 'amount'),
    ('invoice_payments', 'invoice_payment_id', none, 'amount_requested'),
    ('credit_notes', 'credit_note_id', 'customer_id', 'amount'),
    ('charges', 'charge_id', 'customer_id', 'amount'),
    ('payment_intents', 'payment_intent_id', 'customer_id', 'amount'),
    ('disputes', 'dispute_id', none, 'amount'),
    ('payouts', 'payout_id', none, 'amount'),
] -%}

with test_mode as (

    {% for stream, key, stripe_customer, amount in streams -%}
    select
        'stripe' as source,
        '{{ stream }}' as stream,
        {{ key }} as object_id,
        {{ stripe_customer or 'cast(null as string)' }} as stripe_customer_id,
        {{ 'currency' if amount else 'cast(null as string)' }} as currency,
        {{ amount or 'cast(null as ' ~ decimal_type() ~ ')' }} as amount,
    from {{ ref('stg_stripe__' ~ stream) }}
    where not is_livemode
    union all
    {% endfor -%}
    -- balance transactions carry no livemode
    select
        'stripe' as source,
        'balance_transactions' as stream,
        transactions.balance_transaction_id as object_id,
        cast(null as string) as stripe_customer_id,
        transactions.currency,
        transactions.net_amount as amount,
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    inner join {{ ref('int_cash__test_mode_objects') }} as test_mode on transactions.source_id = test_mode.object_id

),

billed as (

    select
        customer_id,
        currency,
        {{ sum_decimal('total_amount') }} as amount,
    from {{ ref('fct_invoices') }}
    where status in ('issued', 'synced', 'paid')
    group by customer_id, currency

),

excluded as (

    select
        test_mode.source,
        test_mode.stream,
        test_mode.object_id,
        ids.customer_id,
        'test_mode_row' as cause,
        test_mode.currency,
        test_mode.amount,
    from test_mode
    left join {{ ref('int_customers__stripe_ids') }} as ids on test_mode.stripe_customer_id = ids.stripe_customer_id
    union all
    select
        'app' as source,
        'customers' as stream,
        customers.customer_id as object_id,
        customers.customer_id,
        'internal_account' as cause,
        coalesce(billed.currency, customers.currency) as currency,
        coalesce(billed.amount, {{ decimal_literal('0') }}) as amount,
    from {{ ref('dim_customers') }} as customers
    left join billed on customers.customer_id = billed.customer_id
    where customers.is_internal

)

select
    {{ surrogate_key(['source', 'stream', 'object_id', 'currency']) }} as excluded_id,
    source,
    stream,
    object_id,
    customer_id,
    cause,
    currency,
    {{ to_decimal('amount') }} as amount,
    {{ certified_through() }} as certified_through,
from excluded
