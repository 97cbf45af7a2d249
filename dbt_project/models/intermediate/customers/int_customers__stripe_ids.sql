with links as (

    -- the product's own record counts before Orb's, Orb's before what a hand may have typed into Stripe's metadata
    select
        stripe_customer_id,
        customer_id,
        1 as preference,
    from {{ ref('stg_app__customers') }}
    where stripe_customer_id is not null
    union all
    select
        payment_provider_id as stripe_customer_id,
        external_customer_id as customer_id,
        2 as preference,
    from {{ ref('stg_orb__customers') }}
    where payment_provider in ('stripe_charge', 'stripe_invoice') and external_customer_id is not null
    union all
    select
        customer_id as stripe_customer_id,
        app_customer_id as customer_id,
        3 as preference,
    from {{ ref('stg_stripe__customers') }}
    where app_customer_id is not null

)

select
    stripe_customer_id,
    customer_id,
from links
qualify row_number() over (partition by stripe_customer_id order by preference, customer_id) = 1
