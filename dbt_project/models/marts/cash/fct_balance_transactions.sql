with attributed as (

    select
        balance_transaction_id,
        payout_id,
    from {{ ref('stg_stripe__payout_transactions') }}
    where not is_deleted
    qualify row_number() over (partition by balance_transaction_id order by created_at desc, payout_id asc) = 1

)

select
    transactions.balance_transaction_id,
    transactions.source_id,
    attributed.payout_id,
    transactions.type,
    transactions.reporting_category,
    transactions.currency,
    {{ to_decimal('transactions.exchange_rate') }} as exchange_rate,
    transactions.gross_amount,
    transactions.fee_amount,
    transactions.net_amount,
    cast(transactions.created_at as timestamp) as created_at,
    cast(transactions.available_at as timestamp) as available_on,
from {{ ref('stg_stripe__balance_transactions') }} as transactions
left join attributed on transactions.balance_transaction_id = attributed.balance_transaction_id
left join {{ ref('int_cash__test_mode_objects') }} as test_mode on transactions.source_id = test_mode.object_id
where not transactions.is_deleted and test_mode.object_id is null
