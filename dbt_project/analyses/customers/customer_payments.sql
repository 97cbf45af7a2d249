-- What did this customer pay for the month's service: by credit, by invoice, and what is still missing?

select
    period,
    currency,
    rated_amount,
    credits_applied_amount,
    tax_amount,
    invoiced_amount,
    collected_amount,
    invoiced_not_collected_amount,
    refunded_amount,
    topped_up_amount,
from {{ ref('fct_money_trail') }}
where customer_id = '{{ var("customer") }}' and period = '{{ var("month") }}'
order by currency
