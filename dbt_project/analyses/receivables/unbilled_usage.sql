-- What had customers used by the end of the month that was neither invoiced nor paid by credit?

select
    coalesce(products.product_name, 'no product') as product_name,
    unbilled.currency,
    {{ sum_decimal('unbilled.opening_amount') }} as opening_amount,
    {{ sum_decimal('unbilled.used_amount') }} as used_amount,
    {{ sum_decimal('unbilled.drawn_amount') }} as paid_by_credit_amount,
    {{ sum_decimal('unbilled.invoiced_amount') }} as invoiced_amount,
    {{ sum_decimal('unbilled.closing_amount') }} as unbilled_amount,
from {{ ref('fct_unbilled_receivable') }} as unbilled
left join {{ ref('dim_products') }} as products on unbilled.product_id = products.product_id
where unbilled.period = '{{ var("month") }}'
group by products.product_name, unbilled.currency
order by unbilled.currency, product_name
