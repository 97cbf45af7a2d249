-- What have we paid back this year, or may lose to a dispute, to whom and why?
-- What a dispute that was won had taken has come back.

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
where {{ date_of('returned.created_at') }} between {{ truncate_date('year', month_start()) }} and {{ month_end() }}
order by returned.created_at desc, returned.kind, returned.amount
