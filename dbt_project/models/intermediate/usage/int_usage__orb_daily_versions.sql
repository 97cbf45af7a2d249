select
    subscriptions.external_customer_id as customer_id,
    coalesce(metrics.metric_code, versions.metric_name) as metric,
    versions.usage_date,
    {{ to_decimal('versions.quantity') }} as quantity,
    versions.read_at,
from {{ ref('stg_orb__subscription_usage_versions') }} as versions
inner join {{ ref('stg_orb__subscriptions') }} as subscriptions on versions.subscription_id = subscriptions.subscription_id
left join {{ ref('stg_orb__metrics') }} as metrics on versions.billable_metric_id = metrics.metric_id
