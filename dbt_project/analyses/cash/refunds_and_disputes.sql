-- What did we pay back in the month, or lose to a dispute, to whom and why?

with returned as (

    select
        'refund' as kind,
        customer_id,
        status,
        reason,
        currency,
        amount,
        created_at,
    from {{ ref('fct_refunds') }}
    union all
    select
        'dispute' as kind,
        customer_id,
        status,
        reason,
        currency,
        amount,
        created_at,
    from {{ ref('fct_disputes') }}

)

select
    {{ date_of('returned.created_at') }} as returned_on,
    returned.kind,
    returned.status,
    returned.reason,
    returned.customer_id,
    customers.customer_name,
    returned.currency,
    returned.amount as returned_amount,
from returned
left join {{ ref('dim_customers') }} as customers on returned.customer_id = customers.customer_id
where {{ in_month(date_of('returned.created_at')) }}
order by returned.created_at, returned.kind, returned.amount
