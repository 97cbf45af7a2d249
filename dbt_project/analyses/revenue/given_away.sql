-- What did we give away in the month: discounts, credit notes and credit that nobody paid for?
-- The share is of revenue before any of it.

select
    currency,
    {{ sum_decimal("case when revenue_kind = 'discount' then -amount else 0 end") }} as discount_amount,
    {{ sum_decimal("case when revenue_kind = 'credit_note' then -amount else 0 end") }} as credit_note_amount,
    {{ sum_decimal("case when revenue_kind = 'promotional_credit' then -amount else 0 end") }} as promotional_amount,
    {{ sum_decimal('amount') }} as revenue_amount,
    {{ round_half_away(divide(
        "-100 * sum(case when revenue_kind in ('discount', 'credit_note', 'promotional_credit') then amount else 0 end)",
        "sum(case when revenue_kind in ('discount', 'credit_note', 'promotional_credit') then 0 else amount end)",
    ), 1) }} as given_percent,
from {{ ref('fct_revenue_daily') }}
where {{ in_month('revenue_date') }}
group by currency
order by currency
