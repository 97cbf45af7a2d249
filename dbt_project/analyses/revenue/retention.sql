-- How much of last month's revenue did we keep (gross), and how much with what the same customers bought more (net)?

select
    reporting_currency,
    {{ sum_integer('active_customers') }} as active_customers,
    {{ sum_decimal('opening_amount') }} as opening_amount,
    {{ sum_decimal('new_amount + reactivation_amount') }} as won_amount,
    {{ sum_decimal('expansion_amount') }} as expansion_amount,
    {{ sum_decimal('contraction_amount') }} as contraction_amount,
    {{ sum_decimal('price_change_amount + exchange_rate_change_amount') }} as price_and_rate_amount,
    {{ sum_decimal('churn_amount') }} as churn_amount,
    {{ sum_decimal('closing_amount') }} as closing_amount,
    {{ round_half_away(divide('100 * sum(gross_retained_amount)', 'sum(base_amount)'), 1) }} as gross_retention_percent,
    {{ round_half_away(divide('100 * sum(net_retained_amount)', 'sum(base_amount)'), 1) }} as net_retention_percent,
from {{ ref('fct_retention_monthly') }}
where period = '{{ var("month") }}'
group by reporting_currency
