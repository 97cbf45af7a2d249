select
    subscriptions.external_customer_id as customer_id,
    coalesce(metrics.metric_code, used.metric_name) as metric,
    used.usage_date,
    {{ to_decimal(sum_big_decimal('used.quantity')) }} as quantity,
    min(used.subscription_id) as subscription_id,
from {{ ref('stg_orb__subscription_usage') }} as used
inner join {{ ref('stg_orb__subscriptions') }} as subscriptions on used.subscription_id = subscriptions.subscription_id
left join {{ ref('stg_orb__metrics') }} as metrics on used.billable_metric_id = metrics.metric_id
where not used.is_deleted
group by
    subscriptions.external_customer_id,
    coalesce(metrics.metric_code, used.metric_name),
    used.usage_date
