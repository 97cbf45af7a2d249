with used as (
    from usage_by_product()
)

select
    key([
        customer_id, product_id, price_id, revenue_kind, currency, case when is_billed then 'billed' else 'unbilled' end,
        strftime(revenue_date, '%Y-%m-%d'),
    ]) as revenue_daily_id,
    customer_id,
    product_id,
    price_id,
    revenue_kind,
    currency,
    'USD' as reporting_currency,
    amount,
    exchange_rate,
    exchange_rate_source,
    reporting_amount,
    is_billed,
    revenue_date,
from revenue('used')
