-- Where is the money of the month's service: metered, rated, paid by credit, invoiced, collected, at the bank, recognised?
-- What was paid in advance for credit is in what reached the bank.

select
    currency,
    count(distinct customer_id) as customer_count,
    {{ sum_decimal('metered_amount') }} as metered_amount,
    {{ sum_decimal('rated_amount') }} as rated_amount,
    {{ sum_decimal('credits_applied_amount') }} as paid_by_credit_amount,
    {{ sum_decimal('tax_amount') }} as tax_amount,
    {{ sum_decimal('invoiced_amount') }} as invoiced_amount,
    {{ sum_decimal('collected_amount') }} as collected_amount,
    {{ sum_decimal('topped_up_amount') }} as topped_up_amount,
    {{ sum_decimal('banked_amount') }} as banked_amount,
    {{ sum_decimal('recognised_amount') }} as recognised_amount,
from {{ ref('fct_money_trail') }}
where period = '{{ var("month") }}'
group by currency
order by currency
