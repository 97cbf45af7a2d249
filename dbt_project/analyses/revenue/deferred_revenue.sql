-- What had we billed ahead at the end of the month, and in which months do we earn it?
-- What an invoice asked for that was voided afterwards is earned in none.

select
    recognised_period,
    currency,
    {{ sum_decimal('recognised_amount') }} as earned_amount,
    {{ sum_decimal('voided_amount') }} as voided_amount,
from {{ ref('fct_deferred_revenue') }}
where booked_period <= '{{ var("month") }}' and recognised_period > '{{ var("month") }}'
group by recognised_period, currency
order by currency, recognised_period
