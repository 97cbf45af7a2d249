-- What does each product leave us after what serving it cost?
-- Staff and test tenants are out: their cost is ours, and no product's. Fees, minimums and expired credit cost nothing to serve.

with products as (

    select
        product_id,
        reporting_currency,
        {{ sum_if_complete('reporting_revenue_amount') }} as revenue_amount,
        {{ sum_if_complete('reporting_cost_amount') }} as cost_amount,
        {{ sum_if_complete('reporting_margin_amount') }} as margin_amount,
    from {{ ref('fct_product_margin') }}
    where period = '{{ var("month") }}' and not is_internal
    group by product_id, reporting_currency

)

select
    coalesce(names.product_name, 'no product') as product_name,
    products.reporting_currency,
    products.revenue_amount,
    products.cost_amount,
    products.margin_amount,
    {{ round_half_away(divide('100 * products.margin_amount', 'products.revenue_amount'), 1) }} as margin_percent,
from products
left join {{ ref('dim_products') }} as names on products.product_id = names.product_id
order by products.margin_amount desc, product_name
