with customers as (

    select * from {{ ref('stg_orb__customers') }}
    where not is_deleted

),

billed as (

    select
        customer_id,
        max(external_customer_id) as external_customer_id,
        currency,
        {{ sum_decimal('total_amount') }} as amount,
        min({{ date_of('invoiced_at') }}) as first_on,
    from {{ ref('stg_orb__invoices') }}
    where not is_deleted and status in ('issued', 'synced', 'paid')
    group by customer_id, currency

)

select
    coalesce(customers.customer_id, billed.customer_id) as orb_customer_id,
    coalesce(customers.external_customer_id, billed.external_customer_id) as customer_id,
    case when customers.payment_provider in ('stripe_charge', 'stripe_invoice') then customers.payment_provider_id end as stripe_customer_id,
    customers.currency as own_currency,
    -- XXX is ISO 4217 for no currency; without money a customer counts where the first money is
    coalesce(billed.currency, customers.currency, 'XXX') as currency,
    {{ year_month('coalesce(billed.first_on, min(billed.first_on) over (), ' ~ date_of('customers.created_at') ~ ')') }} as period,
    coalesce(billed.amount, {{ decimal_literal('0') }}) as billed_amount,
    row_number() over (
        partition by coalesce(customers.customer_id, billed.customer_id)
        order by case when billed.currency = customers.currency then 0 else 1 end, billed.currency
    ) = 1 as is_main_currency,
    customers.customer_id is not null as is_known,
from customers
full outer join billed on customers.customer_id = billed.customer_id
