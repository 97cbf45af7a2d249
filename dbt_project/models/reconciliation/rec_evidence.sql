{{ config(materialized='view') }}

{#- stream, and the column that its objects are called by in left_ref and right_ref -#}
{%- set objects = [
    ('app', 'contracts', 'contract_id'),
    ('app', 'customers', 'customer_id'),
    ('bank', 'statement_lines', 'statement_line_id'),
    ('orb', 'credit_blocks', 'credit_block_id'),
    ('orb', 'credit_ledger', 'ledger_entry_id'),
    ('orb', 'credit_notes', 'credit_note_id'),
    ('orb', 'customers', 'customer_id'),
    ('orb', 'events', 'event_id'),
    ('orb', 'invoices', 'invoice_id'),
    ('stripe', 'balance_transactions', 'balance_transaction_id'),
    ('stripe', 'charges', 'charge_id'),
    ('stripe', 'credit_notes', 'credit_note_id'),
    ('stripe', 'customers', 'customer_id'),
    ('stripe', 'disputes', 'dispute_id'),
    ('stripe', 'invoices', 'invoice_id'),
    ('stripe', 'payment_intents', 'payment_intent_id'),
    ('stripe', 'payouts', 'payout_id'),
    ('stripe', 'refunds', 'refund_id'),
] -%}

{% for source, entity, key in objects -%}
select
    '{{ source }}.{{ entity }}' as stream,
    {{ key }} as object_id,
    payload_hash,
    batch_id,
    cast(read_at as timestamp) as read_at,
from {{ ref('stg_' ~ source ~ '__' ~ entity) }}
{{ 'union all' if not loop.last }}
{% endfor %}
