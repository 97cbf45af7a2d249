-- What do we owe in prepaid credit at the end of the month, what was it at the last year end, and what moved it since?
-- Promotional credit is not in it: nobody paid for it.

select
    currency,
    {{ sum_decimal("case when period = '" ~ var('month')[:4] ~ "-01' then opening_amount else 0 end") }} as year_end_amount,
    {{ sum_decimal('sold_amount + granted_amount') }} as sold_amount,
    {{ sum_decimal('-used_amount') }} as used_amount,
    {{ sum_decimal('-expired_amount') }} as expired_amount,
    {{ sum_decimal('-voided_amount - refunded_amount') }} as returned_amount,
    {{ sum_decimal("case when period = '" ~ var('month') ~ "' then closing_amount else 0 end") }} as closing_amount,
    {{ sum_decimal("case when period = '" ~ var('month') ~ "' then liability_amount else 0 end") }} as liability_amount,
from {{ ref('fct_credit_liability') }}
where period between '{{ var("month")[:4] }}-01' and '{{ var("month") }}'
group by currency
order by currency
