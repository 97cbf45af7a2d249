{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_balance_transactions'}}}) }}

-- The account holds what went in against what came out, each in its own currency: at the rates of its day that is the gain.
with booked as (

    select
        entries.document_id as balance_transaction_id,
        {{ sum_if_complete(reporting_amount('entries.amount', 'entries.currency')) }} as amount,
    from {{ ref('int_journal__entries') }} as entries
    {{ join_exchange_rates('entries.currency', 'entries.entry_date') }}
    where entries.account_id = 'currency_conversion'
    group by entries.document_id

)

select
    transactions.balance_transaction_id,
    transactions.conversion_gain_amount,
    -booked.amount as booked_amount,
from {{ ref('fct_balance_transactions') }} as transactions
left join booked on transactions.balance_transaction_id = booked.balance_transaction_id
where transactions.conversion_gain_amount <> -coalesce(booked.amount, 0)
union all
select
    booked.balance_transaction_id,
    transactions.conversion_gain_amount,
    -booked.amount as booked_amount,
from booked
left join {{ ref('fct_balance_transactions') }} as transactions on booked.balance_transaction_id = transactions.balance_transaction_id
where transactions.balance_transaction_id is null
