select
    customers.object_id as customer_id,
    coalesce(customers.orb_customer_id, orb.object_id) as orb_customer_id,
    coalesce(customers.stripe_customer_id, stripe.stripe_customer_id) as stripe_customer_id,
    subscriptions.object_id as orb_subscription_id,
    customers.name as customer_name,
    customers.email,
    customers.country,
    upper(customers.currency) as currency,
    customers.billing_model,
    customers.account_type,
    customers.account_type in ('internal', 'test') as is_internal,
    customers.is_gone or customers.deleted_at is not null as is_deleted,
    customers.created_at,
    customers.deleted_at,
from objects('raw_app.customers', '{
    "orb_customer_id": "varchar",
    "stripe_customer_id": "varchar",
    "name": "varchar",
    "email": "varchar",
    "country": "varchar",
    "currency": "varchar",
    "billing_model": "varchar",
    "account_type": "varchar",
    "created_at": "timestamp",
    "deleted_at": "timestamp"
}') as customers
left join (
    select distinct on (external_customer_id) object_id, external_customer_id
    from objects('raw_orb.customers', '{"external_customer_id": "varchar", "created_at": "timestamp"}')
    order by is_gone, created_at, object_id
) as orb on customers.object_id = orb.external_customer_id
left join (
    select distinct on (ids.customer_id) ids.*
    from stripe_customers() as ids
    inner join objects('raw_stripe.customers', '{"livemode": "boolean", "created": "bigint"}') as stripe
        on ids.stripe_customer_id = stripe.object_id
    where stripe.livemode
    order by stripe.is_gone, stripe.created, stripe.object_id
) as stripe on customers.object_id = stripe.customer_id
left join (
    select distinct on (customer.external_customer_id) object_id, customer
    from objects('raw_orb.subscriptions', '{
        "customer": {"external_customer_id": "varchar"}, "status": "varchar", "start_date": "timestamp"
    }')
    order by status <> 'active', start_date desc, object_id
) as subscriptions on customers.object_id = subscriptions.customer.external_customer_id
