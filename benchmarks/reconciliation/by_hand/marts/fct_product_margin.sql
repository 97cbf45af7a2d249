with used as materialized (
    from usage_by_model()
),

parts as (
    select
        customer_id,
        product_id,
        currency,
        month_of(revenue_date) as period,
        0 as quantity,
        0 as uncosted_quantity,
        amount as revenue_amount,
        case when revenue_kind = 'promotional_credit' then amount else 0 end as promotional_amount,
        reporting_amount as reporting_revenue_amount,
        0 as reporting_cost_amount,
    from revenue('used')
    union all
    select
        costs.customer_id,
        costs.product_id,
        upper(customers.currency),
        month_of(costs.usage_date),
        costs.quantity,
        case when costs.serving_cost_id is null then costs.quantity else 0 end,
        0,
        0,
        0,
        in_dollars(costs.cost_amount, costs.currency, rates.exchange_rate),
    from serving_costs('used') as costs
    left join objects('raw_app.customers', '{"currency": "varchar"}') as customers on costs.customer_id = customers.object_id
    left join rates() as rates on costs.currency = rates.currency and costs.usage_date = rates.rate_date
),

by_month as (
    select
        customer_id,
        product_id,
        currency,
        period,
        sum(quantity)::decimal(38, 9) as quantity,
        sum(uncosted_quantity)::decimal(38, 9) as uncosted_quantity,
        sum(revenue_amount)::decimal(38, 9) as revenue_amount,
        sum(promotional_amount)::decimal(38, 9) as promotional_amount,
        sum(reporting_revenue_amount)::decimal(38, 9) as reporting_revenue_amount,
        case when count(reporting_cost_amount) = count(*) then sum(reporting_cost_amount) end::decimal(38, 9) as reporting_cost_amount,
    from parts
    group by all
)

select
    key([customer_id, product_id, currency, period]) as product_margin_id,
    customer_id,
    product_id,
    currency,
    'USD' as reporting_currency,
    period,
    quantity,
    uncosted_quantity,
    revenue_amount,
    promotional_amount,
    quotient(reporting_revenue_amount, revenue_amount) as average_exchange_rate,
    reporting_revenue_amount,
    reporting_cost_amount,
    reporting_revenue_amount - reporting_cost_amount as reporting_margin_amount,
    customer_id in (select customer_id from internal_customers()) as is_internal,
from by_month
