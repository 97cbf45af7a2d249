{#- a payment's own transaction, those of its refunds and those of its disputes -#}
with sources as (

    select
        payment_id,
        payment_id as source_id,
    from {{ ref('fct_payments') }}
    union all
    select
        charge_id as payment_id,
        refund_id as source_id,
    from {{ ref('stg_stripe__refunds') }}
    where charge_id is not null
    union all
    select
        charge_id as payment_id,
        dispute_id as source_id,
    from {{ ref('stg_stripe__disputes') }}
    where charge_id is not null

)

select
    transactions.balance_transaction_id,
    sources.payment_id,
    transactions.payout_id,
    transactions.currency,
    transactions.fee_amount,
    transactions.net_amount,
from sources
inner join {{ ref('fct_balance_transactions') }} as transactions on sources.source_id = transactions.source_id
where transactions.type <> 'payout'
