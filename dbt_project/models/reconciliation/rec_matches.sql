{{ config(materialized='view') }}

{%- set comparisons = [
    ('metered', 'metered__app_vs_orb'),
    ('invoiced', 'invoiced__orb_vs_stripe'),
    ('invoiced', 'invoiced__orb_paid_vs_stripe_paid'),
    ('invoiced', 'invoiced__orb_vs_stripe_credit_notes'),
    ('collected', 'collected__invoices_vs_payments'),
    ('collected', 'collected__payments_vs_charges'),
    ('collected', 'collected__movements_vs_balance_transactions'),
    ('collected', 'collected__fees_vs_schedule'),
    ('collected', 'collected__refunds_vs_credit_notes'),
    ('banked', 'banked__payouts_vs_bank'),
] -%}

{% for hop, comparison in comparisons -%}
select
    comparison,
    '{{ hop }}' as hop,
    break_id,
    match_key,
    customer_id,
    period,
    currency,
    right_currency,
    left_ref,
    left_amount,
    right_ref,
    right_amount,
    difference,
    match_rule,
    status,
    cause,
    tolerance,
    evidence,
from {{ ref('rec_' ~ comparison) }}
{{ 'union all' if not loop.last }}
{% endfor %}
