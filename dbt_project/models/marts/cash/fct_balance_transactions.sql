with inferred as (

    select
        transactions.object_id as balance_transaction_id,
        payouts.object_id as payout_id,
        transactions.unsettled_amount,
    from {{ ref('int_cash__balance_draws') }} as transactions
    left join {{ ref('int_cash__balance_draws') }} as payouts
        on transactions.currency = payouts.currency and transactions.payout_event_no = payouts.event_no
    where transactions.kind = 'transaction'

),

presented as (

    select
        charge_id as source_id,
        currency,
        coalesce(amount_captured, amount) as amount,
    from {{ ref('stg_stripe__charges') }}
    union all
    select
        refund_id as source_id,
        currency,
        amount,
    from {{ ref('stg_stripe__refunds') }}
    union all
    select
        dispute_id as source_id,
        currency,
        amount,
    from {{ ref('stg_stripe__disputes') }}

),

transactions as (

    select
        found.*,
        found.exchange_rate is not null as is_converted,
        case when found.exchange_rate is null then found.currency else presented.currency end as presentment_currency,
        case
            when found.exchange_rate is null then found.gross_amount
            when found.gross_amount < 0 then -presented.amount
            else presented.amount
        end as presentment_amount,
    from {{ ref('stg_stripe__balance_transactions') }} as found
    left join presented on found.source_id = presented.source_id

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
    transactions.presentment_currency,
    transactions.currency,
    {{ reporting_currency() }} as reporting_currency,
    transactions.presentment_amount,
    {{ to_decimal('transactions.exchange_rate') }} as exchange_rate,
    case when transactions.is_converted then 'Stripe' end as exchange_rate_source,
    transactions.gross_amount,
    transactions.fee_amount,
    transactions.net_amount,
    coalesce(inferred.unsettled_amount, {{ decimal_literal('0') }}) as unsettled_amount,
    {{ exchange_rate('transactions.presentment_currency', 'presentment') }} as presentment_reporting_rate,
    {{ exchange_rate_source('transactions.presentment_currency', 'presentment') }} as presentment_reporting_rate_source,
    {{ reporting_amount('transactions.presentment_amount', 'transactions.presentment_currency', 'presentment') }} as reporting_presentment_amount,
    {{ exchange_rate('transactions.currency', 'settlement') }} as reporting_rate,
    {{ exchange_rate_source('transactions.currency', 'settlement') }} as reporting_rate_source,
    {{ reporting_amount('transactions.gross_amount', 'transactions.currency', 'settlement') }} as reporting_gross_amount,
    case
        when not transactions.is_converted then {{ decimal_literal('0') }}
        else {{ to_decimal(
            reporting_amount('transactions.gross_amount', 'transactions.currency', 'settlement') ~ ' - '
            ~ reporting_amount('transactions.presentment_amount', 'transactions.presentment_currency', 'presentment')
        ) }}
    end as conversion_gain_amount,
    cast(transactions.created_at as timestamp) as created_at,
    cast(transactions.available_at as timestamp) as available_on,
    {{ certified_through() }} as certified_through,
from transactions
left join {{ ref('int_cash__payout_lists') }} as lists
    on transactions.balance_transaction_id = lists.balance_transaction_id and lists.claim_no = 1
left join inferred on transactions.balance_transaction_id = inferred.balance_transaction_id
left join {{ ref('int_cash__test_mode_objects') }} as test_mode on transactions.source_id = test_mode.object_id
{{ join_exchange_rates('transactions.presentment_currency', date_of('transactions.created_at'), 'presentment') }}
{{ join_exchange_rates('transactions.currency', date_of('transactions.created_at'), 'settlement') }}
where not transactions.is_deleted and test_mode.object_id is null
