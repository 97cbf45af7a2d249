-- What did each product earn this year, month by month, in our own currency?
-- Revenue that no product earned is credit that expired unused, or was given back and nothing says for what.

select
    {{ year_month('revenue.revenue_date') }} as period,
    coalesce(products.product_name, 'no product') as product_name,
    revenue.reporting_currency,
    {{ sum_if_complete('revenue.reporting_amount') }} as reporting_amount,
from {{ ref('fct_revenue_daily') }} as revenue
left join {{ ref('dim_products') }} as products on revenue.product_id = products.product_id
where revenue.revenue_date between {{ truncate_date('year', month_start()) }} and {{ month_end() }}
group by {{ year_month('revenue.revenue_date') }}, products.product_name, revenue.reporting_currency
order by period, reporting_amount desc
