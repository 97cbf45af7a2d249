-- What did this customer use in the month, and what did we earn by it?
-- Revenue is before tax, after discounts, credit notes and credit that nobody paid for.

select
    coalesce(products.product_name, 'no product') as product_name,
    margin.quantity,
    products.unit,
    margin.currency,
    margin.revenue_amount,
from {{ ref('fct_product_margin') }} as margin
left join {{ ref('dim_products') }} as products on margin.product_id = products.product_id
where margin.customer_id = '{{ var("customer") }}' and margin.period = '{{ var("month") }}'
order by product_name, margin.currency
