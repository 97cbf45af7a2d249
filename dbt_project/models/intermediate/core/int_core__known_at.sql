{#- what dbt itself found out (staging.tieout) is not knowledge of the sources: with it every run would know something new -#}
{%- set staged = {
    'app': ['contracts', 'customers', 'exchange_rates', 'price_book', 'serving_costs', 'wallet_transactions'],
    'bank': ['statement_lines'],
    'orb': [
        'backfills', 'credit_blocks', 'credit_ledger', 'credit_notes', 'customers', 'event_volume', 'events', 'invoices', 'items',
        'metrics', 'plans', 'prices', 'subscription_usage', 'subscriptions',
    ],
    'stripe': [
        'balance_transactions', 'charges', 'credit_notes', 'customers', 'disputes', 'events', 'invoice_items', 'invoice_lines',
        'invoice_payments', 'invoices', 'payment_intents', 'payout_transactions', 'payouts', 'prices', 'products', 'refunds',
        'subscriptions',
    ],
} -%}

with newest as (

    {% for source, entities in staged.items() -%}
    {% for entity in entities -%}
    select max(read_at) as read_at from {{ ref('stg_' ~ source ~ '__' ~ entity) }}
    union all
    {% endfor -%}
    {% endfor -%}
    select max(read_at) as read_at from {{ ref('int_usage__landings') }}

)

select cast(coalesce(max(read_at), {{ as_of() }}) as timestamp) as known_at
from newest
