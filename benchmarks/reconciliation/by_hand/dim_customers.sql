select
    customers.object_id as customer_id,
    coalesce(customers.payload ->> '$.orb_customer_id', orb.object_id) as orb_customer_id,
    coalesce(customers.payload ->> '$.stripe_customer_id', stripe.stripe_customer_id) as stripe_customer_id,
    subscriptions.object_id as orb_subscription_id,
    customers.payload ->> '$.name' as customer_name,
    customers.payload ->> '$.email' as email,
    customers.payload ->> '$.country' as country,
    upper(customers.payload ->> '$.currency') as currency,
    customers.payload ->> '$.billing_model' as billing_model,
    customers.payload ->> '$.account_type' as account_type,
    customers.payload ->> '$.account_type' in ('internal', 'test') as is_internal,
    is_gone or customers.payload ->> '$.deleted_at' is not null as is_deleted,
    instant(customers.payload ->> '$.created_at') as created_at,
    instant(customers.payload ->> '$.deleted_at') as deleted_at,
from newest('raw_app.customers') as customers
left join (
    select object_id, payload ->> '$.external_customer_id' as customer_id
    from newest('raw_orb.customers')
    qualify row_number() over (partition by payload ->> '$.external_customer_id' order by is_gone, instant(payload ->> '$.created_at'), object_id) = 1
) as orb on customers.object_id = orb.customer_id
left join (
    select ids.customer_id, ids.stripe_customer_id
    from stripe_customers() as ids
    inner join newest('raw_stripe.customers') as stripe on ids.stripe_customer_id = stripe.object_id
    where payload ->> '$.livemode' = 'true'
    qualify row_number() over (partition by ids.customer_id order by is_gone, seconds_at(payload ->> '$.created'), object_id) = 1
) as stripe on customers.object_id = stripe.customer_id
left join (
    select object_id, payload ->> '$.customer.external_customer_id' as customer_id
    from newest('raw_orb.subscriptions')
    qualify row_number() over (
        partition by payload ->> '$.customer.external_customer_id'
        order by payload ->> '$.status' <> 'active', instant(payload ->> '$.start_date') desc, object_id
    ) = 1
) as subscriptions on customers.object_id = subscriptions.customer_id
