with inferred as (

    select
        transactions.object_id as balance_transaction_id,
        payouts.object_id as payout_id,
        transactions.unsettled_amount,
    from {{ ref('int_cash__balance_draws') }} as transactions
    left join {{ ref('int_cash__balance_draws') }} as payouts
        on transactions.currency = payouts.currency and transactions.payout_event_no = payouts.event_no
    where transactions.kind = 'transaction'

)

select
    transactions.balance_transaction_id,
    transactions.source_id,
    case when transactions.type = 'payout' then transactions.source_id else coalesce(lists.payout_id, inferred.payout_id) end as payout_id,
    transactions.type,
    transactions.reporting_category,
    case
        when transactions.type = 'payout' then 'own'
        when lists.payout_id is not null then 'listed'
        when inferred.payout_id is not null then 'inferred'
    end as payout_attribution,
    transactions.currency,
    {{ to_decimal('transactions.exchange_rate') }} as exchange_rate,
    transactions.gross_amount,
    transactions.fee_amount,
    transactions.net_amount,
    coalesce(inferred.unsettled_amount, {{ decimal_literal('0') }}) as unsettled_amount,
    cast(transactions.created_at as timestamp) as created_at,
    cast(transactions.available_at as timestamp) as available_on,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__balance_transactions') }} as transactions
left join {{ ref('int_cash__payout_lists') }} as lists
    on transactions.balance_transaction_id = lists.balance_transaction_id and lists.claim_no = 1
left join inferred on transactions.balance_transaction_id = inferred.balance_transaction_id
left join {{ ref('int_cash__test_mode_objects') }} as test_mode on transactions.source_id = test_mode.object_id
where not transactions.is_deleted and test_mode.object_id is null
