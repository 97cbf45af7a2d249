with paid_out as (

    -- Stripe lists the payout's own transaction among those it settles
    select
        payout_id,
        {{ sum_decimal('net_amount') }} as transactions_amount,
    from {{ ref('fct_balance_transactions') }}
    where payout_id is not null and type not in ('payout', 'payout_cancel', 'payout_failure')
    group by payout_id

)

select
    payouts.payout_id,
    payouts.trace_id,
    payouts.currency,
    payouts.amount,
    coalesce(paid_out.transactions_amount, {{ decimal_literal('0') }}) as transactions_amount,
    payouts.status,
    payouts.is_automatic,
    cast(payouts.created_at as timestamp) as created_at,
    payouts.arrival_date,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__payouts') }} as payouts
left join paid_out on payouts.payout_id = paid_out.payout_id
where payouts.is_livemode and not payouts.is_deleted
