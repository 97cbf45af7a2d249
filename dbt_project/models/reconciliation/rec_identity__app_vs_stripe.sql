with left_side as (

    -- what Stripe collects under the id that the product names
    select
        case
            when coalesce(collected.is_main_currency, true) then customers.customer_id
            else concat(customers.customer_id, '/', collected.currency)
        end as ref,
        customers.customer_id,
        coalesce(collected.period, {{ year_month(date_of('customers.created_at')) }}) as period,
        coalesce(collected.currency, customers.currency, 'XXX') as currency,
        coalesce(collected.collected_amount, {{ decimal_literal('0') }}) as amount,
        customers.stripe_customer_id,
        customers.currency as own_currency,
        collected.stripe_customer_id is not null as is_in_stripe,
        customers.email,
        customers.account_type,
        customers.is_deleted,
    from {{ ref('dim_customers') }} as customers
    left join {{ ref('int_customers__stripe_collected') }} as collected
        on customers.stripe_customer_id = collected.stripe_customer_id

),

right_side as (

    select
        case when is_main_currency then stripe_customer_id else concat(stripe_customer_id, '/', currency) end as ref,
        customer_id,
        period,
        currency,
        collected_amount as amount,
        stripe_customer_id,
        named_customer_id,
        own_currency,
        is_known,
        email,
        is_deleted,
    from {{ ref('int_customers__stripe_collected') }}

),

{{ reconcile(
    comparison='identity__app_vs_stripe',
    passes=[
        {'rule': 'named_id', 'on': 'r.stripe_customer_id = l.stripe_customer_id and r.currency = l.currency'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.customer_id = l.customer_id'},
        {'rule': 'same_email', 'kind': 'repeated', 'on': 'r.email = l.email'},
    ],
    causes=[
        {'cause': 'customer_duplicated_in_stripe', 'when': "m.match_rule in ('second_claim', 'same_email')"},
        {'cause': 'customer_unmapped', 'when': 'm.left_ref is null or (m.right_ref is null and l.stripe_customer_id is not null and not l.is_in_stripe)'},
        {'cause': 'deleted_customer_active', 'when': 'r.is_deleted and not l.is_deleted'},
        {'cause': 'unexplained', 'when': 'not r.is_known or l.customer_id <> r.named_customer_id or l.own_currency <> r.own_currency'},
    ],
    evidence={
        'product_names_stripe_customer': 'l.stripe_customer_id',
        'stripe_names_customer': 'coalesce(r.named_customer_id, r.customer_id)',
        'currency_in_stripe': 'r.own_currency',
        'account_type': 'l.account_type',
    },
) }}
