{{ config(materialized='view') }}

{%- set comparisons = [
    ('metered', 'metered__app_vs_orb'),
    ('metered', 'metered__app_vs_orb_volume'),
    ('rated', 'rated__usage_vs_lines'),
    ('credits', 'credits__topups_vs_grants'),
    ('credits', 'credits__refunds_vs_voids'),
    ('credits', 'credits__movements_vs_balances'),
    ('credits', 'credits__draw_order_vs_ledger'),
    ('credits', 'credits__ledger_vs_blocks'),
    ('credits', 'credits__wallet_vs_ledger'),
    ('credits', 'credits__draws_vs_invoice_lines'),
    ('invoiced', 'invoiced__orb_vs_stripe'),
    ('invoiced', 'invoiced__orb_paid_vs_stripe_paid'),
    ('invoiced', 'invoiced__orb_vs_stripe_credit_notes'),
    ('collected', 'collected__invoices_vs_payments'),
    ('collected', 'collected__payments_vs_charges'),
    ('collected', 'collected__movements_vs_balance_transactions'),
    ('collected', 'collected__fees_vs_schedule'),
    ('collected', 'collected__refunds_vs_credit_notes'),
    ('settled', 'settled__payouts_vs_transactions'),
    ('settled', 'settled__transactions_vs_payout_lists'),
    ('settled', 'settled__failed_payouts_vs_returns'),
    ('settled', 'settled__rolled_balance_vs_unsettled'),
    ('banked', 'banked__payouts_vs_bank'),
    ('identity', 'identity__app_vs_orb'),
    ('identity', 'identity__app_vs_stripe'),
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
    rule_version,
from {{ ref('rec_' ~ comparison) }}
{{ 'union all' if not loop.last }}
{% endfor %}
