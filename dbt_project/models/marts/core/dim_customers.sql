with customers as (

    select * from {{ ref('stg_app__customers') }}

),

orb_customers as (

    -- a customer created twice in Orb must not become two: the older one holds the history
    -- (named with its table, or BigQuery takes the column of the same name that comes out)
    select
        orb.customer_id as orb_customer_id,
        orb.external_customer_id as customer_id,
    from {{ ref('stg_orb__customers') }} as orb
    where orb.external_customer_id is not null
    qualify row_number() over (partition by orb.external_customer_id order by orb.is_deleted, orb.created_at, orb.customer_id) = 1

),

stripe_customers as (

    select
        ids.customer_id,
        ids.stripe_customer_id,
    from {{ ref('int_customers__stripe_ids') }} as ids
    inner join {{ ref('stg_stripe__customers') }} as stripe on ids.stripe_customer_id = stripe.customer_id
    where stripe.is_livemode
    qualify row_number() over (partition by ids.customer_id order by stripe.is_deleted, stripe.created_at, ids.stripe_customer_id) = 1

),

subscriptions as (

    select
        external_customer_id as customer_id,
        subscription_id as orb_subscription_id,
    from {{ ref('stg_orb__subscriptions') }}
    qualify row_number() over (
        partition by external_customer_id
        order by case when status = 'active' then 0 else 1 end asc, started_at desc, subscription_id asc
    ) = 1

)

select
    customers.customer_id,
    coalesce(customers.orb_customer_id, orb_customers.orb_customer_id) as orb_customer_id,
    coalesce(customers.stripe_customer_id, stripe_customers.stripe_customer_id) as stripe_customer_id,
    subscriptions.orb_subscription_id,
    customers.customer_name,
    customers.email,
    customers.country,
    customers.currency,
    customers.billing_model,
    customers.account_type,
    customers.account_type in ('internal', 'test') as is_internal,
    customers.is_deleted,
    cast(customers.created_at as timestamp) as created_at,
    cast(customers.deleted_at as timestamp) as deleted_at,
    {{ certified_through() }} as certified_through,
from customers
left join orb_customers on customers.customer_id = orb_customers.customer_id
left join stripe_customers on customers.customer_id = stripe_customers.customer_id
left join subscriptions on customers.customer_id = subscriptions.customer_id
