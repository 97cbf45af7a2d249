select
    payouts.payout_id,
    payouts.balance_transaction_id,
    payouts.trace_id,
    payouts.currency,
    payouts.status,
    payouts.method,
    attributed.attribution,
    payouts.amount,
    attributed.fee_amount,
    attributed.transactions_amount,
    attributed.remainder_amount,
    attributed.confidence,
    attributed.transaction_count,
    payouts.is_automatic,
    cast(payouts.created_at as timestamp) as created_at,
    payouts.arrival_date,
from {{ ref('stg_stripe__payouts') }} as payouts
inner join {{ ref('int_cash__payouts_attributed') }} as attributed on payouts.payout_id = attributed.payout_id
