with used as (
    from usage_by_model()
)

select
    key([customer_id, metric, model, strftime(usage_date, '%Y-%m-%d')]) as usage_daily_id,
    customer_id,
    product_id,
    model,
    serving_cost_id,
    unit,
    costs.currency,
    'USD' as reporting_currency,
    quantity,
    cost_amount,
    rate(costs.currency, rates.exchange_rate) as exchange_rate,
    rate_source(costs.currency, rates.exchange_rate_source) as exchange_rate_source,
    in_dollars(cost_amount, costs.currency, rates.exchange_rate) as reporting_cost_amount,
    customer_id in (select customer_id from internal_customers()) as is_internal,
    usage_date,
from serving_costs('used') as costs
left join rates() as rates on costs.currency = rates.currency and costs.usage_date = rates.rate_date
