{#- a refund that failed gave nothing back, a dispute takes nothing for good before it is lost -#}
with returns as (

    select
        payment_id,
        true as is_refund,
    from {{ ref('fct_refunds') }}
    where status not in ('failed', 'canceled')
    union all
    select
        payment_id,
        false as is_refund,
    from {{ ref('fct_disputes') }}
    where status = 'lost'

)

select
    payments.payment_intent_id,
    case when max(case when returns.is_refund then 1 else 0 end) = 1 then 'refunded' else 'disputed' end as return_kind,
from {{ ref('fct_payments') }} as payments
inner join returns on payments.payment_id = returns.payment_id
where payments.payment_intent_id is not null
group by payments.payment_intent_id
