{{ config(materialized='view') }}

{%- set comparisons = [
    ('metered', 'metered__app_vs_orb'),
    ('rated', 'rated__usage_vs_lines'),
    ('invoiced', 'invoiced__orb_vs_stripe'),
    ('invoiced', 'invoiced__orb_paid_vs_stripe_paid'),
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
