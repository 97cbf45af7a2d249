select
    key([customer_id, metric, model, strftime(usage_date, '%Y-%m-%d')]) as usage_daily_id,
    customer_id,
    product_id,
    model,
    metric,
    unit,
    quantity,
    event_count,
    customer_id in (select customer_id from internal_customers()) as is_internal,
    usage_date,
    first_occurred_at,
    last_occurred_at,
from usage_by_model()
