-- Who are our ten largest customers of the month, and what share of revenue is theirs?

with earned as (

    select
        customer_id,
        reporting_currency,
        {{ sum_if_complete('reporting_amount') }} as reporting_amount,
    from {{ ref('fct_revenue_daily') }}
    where {{ in_month('revenue_date') }}
    group by customer_id, reporting_currency

)

select
    earned.customer_id,
    customers.customer_name,
    earned.reporting_currency,
    earned.reporting_amount,
    {{ round_half_away(divide('100 * earned.reporting_amount', 'sum(earned.reporting_amount) over ()'), 1) }} as share_percent,
from earned
left join {{ ref('dim_customers') }} as customers on earned.customer_id = customers.customer_id
order by earned.reporting_amount desc, earned.customer_id
limit 10
