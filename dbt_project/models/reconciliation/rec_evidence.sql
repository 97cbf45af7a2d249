{{ config(materialized='view') }}

{#- stream, the column that its objects are called by in left_ref and right_ref, and where they are a part, the whole's -#}
{%- set objects = [
    ('app.contracts', 'contract_id', none),
    ('app.customers', 'customer_id', none),
    ('bank.statement_lines', 'statement_line_id', none),
    ('orb.credit_blocks', 'credit_block_id', none),
    ('orb.credit_ledger', 'ledger_entry_id', none),
    ('orb.credit_notes', 'credit_note_id', none),
    ('orb.customers', 'customer_id', none),
    ('orb.events', 'event_id', none),
    ('orb.invoices', 'invoice_id', none),
    ('orb.invoice_lines', 'invoice_line_id', 'invoice_id'),
    ('stripe.balance_transactions', 'balance_transaction_id', none),
    ('stripe.charges', 'charge_id', none),
    ('stripe.credit_notes', 'credit_note_id', none),
    ('stripe.customers', 'customer_id', none),
    ('stripe.disputes', 'dispute_id', none),
    ('stripe.invoices', 'invoice_id', none),
    ('stripe.payment_intents', 'payment_intent_id', none),
    ('stripe.payouts', 'payout_id', none),
    ('stripe.refunds', 'refund_id', none),
] -%}

{% for entity, key, whole in objects -%}
select
    {{ key }} as object_id,
    '{{ 'orb.invoices' if whole else entity }}' as stream,
    {{ whole or key }} as raw_object_id,
    payload_hash,
    batch_id,
    cast(read_at as timestamp) as read_at,
from {{ ref('stg_' ~ entity | replace('.', '__')) }}
{{ 'union all' if not loop.last }}
{% endfor %}
