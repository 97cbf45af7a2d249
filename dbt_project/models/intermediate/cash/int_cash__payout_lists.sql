-- Stripe lists a payout's own transaction among those that it settles
select
    lists.payout_transaction_id,
    lists.payout_id,
    lists.balance_transaction_id,
    lists.currency,
    lists.net_amount,
    row_number() over (partition by lists.balance_transaction_id order by payouts.created_at, lists.payout_id) as claim_no,
from {{ ref('stg_stripe__payout_transactions') }} as lists
inner join {{ ref('stg_stripe__payouts') }} as payouts on lists.payout_id = payouts.payout_id
where
    not lists.is_deleted
    and not payouts.is_deleted
    and payouts.is_livemode
    and not (lists.type = 'payout' and lists.source_id = lists.payout_id)
