{% set sides = {
    'left_side': (ref('fct_revenue_daily'), 'amount', 'revenue_date', 'true'),
    'right_side': (
        ref('int_journal__entries'), '-amount', 'entry_date',
        "account_id in ('revenue', 'breakage_revenue', 'discounts', 'credit_notes', 'promotional_credit')",
    ),
} -%}

with {% for side, (source, amount, day, condition) in sides.items() -%}
{{ side }} as (

    select
        concat(coalesce(customer_id, ''), '/', currency, '/', period) as ref,
        customer_id,
        period,
        currency,
        {{ sum_decimal('amount') }} as amount,
    from (
        select
            customer_id,
            {{ year_month(day) }} as period,
            currency,
            {{ amount }} as amount,
        from {{ source }}
        where {{ condition }}
    ) as booked
    group by customer_id, currency, period

),

{% endfor -%}
{{ reconcile(
    comparison='recognised__revenue_vs_journal',
    passes=[
        {'rule': 'customer_month', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'control_account_differs', 'when': 'm.is_different'},
    ],
    evidence={
        'customer_id': 'coalesce(l.customer_id, r.customer_id)',
        'period': 'coalesce(l.period, r.period)',
    },
) }}
