with customers as (

    select * from {{ ref('stg_stripe__customers') }}
    where is_livemode

),

collected as (

    select
        customer_id,
        currency,
        {{ sum_decimal('amount') }} as amount,
        min({{ date_of('created_at') }}) as first_on,
    from {{ ref('stg_stripe__charges') }}
    where is_livemode and not is_deleted and status = 'succeeded' and customer_id is not null
    group by customer_id, currency

)

select
    coalesce(customers.customer_id, collected.customer_id) as stripe_customer_id,
    ids.customer_id,
    customers.app_customer_id as named_customer_id,
    customers.email,
    customers.currency as own_currency,
    -- XXX is ISO 4217 for no currency; without money a customer counts where the first money is
    coalesce(collected.currency, customers.currency, 'XXX') as currency,
    {{ year_month('coalesce(collected.first_on, min(collected.first_on) over (), ' ~ date_of('customers.created_at') ~ ')') }} as period,
    coalesce(collected.amount, {{ decimal_literal('0') }}) as collected_amount,
    row_number() over (
        partition by coalesce(customers.customer_id, collected.customer_id)
        order by case when collected.currency = customers.currency then 0 else 1 end, collected.currency
    ) = 1 as is_main_currency,
    customers.customer_id is not null as is_known,
    coalesce(customers.is_deleted, false) as is_deleted,
from customers
full outer join collected on customers.customer_id = collected.customer_id
left join {{ ref('int_customers__stripe_ids') }} as ids on coalesce(customers.customer_id, collected.customer_id) = ids.stripe_customer_id
where collected.amount is not null or not customers.is_deleted
