with drawn as materialized (
    from draws()
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
    'USD' as reporting_currency,
    transactions.presentment_amount,
    transactions.exchange_rate,
    case when transactions.exchange_rate is not null then 'Stripe' end as exchange_rate_source,
    transactions.gross_amount,
    transactions.fee_amount,
    transactions.net_amount,
    coalesce(inferred.unsettled_amount, 0) as unsettled_amount,
    rate(transactions.presentment_currency, presentment.exchange_rate) as presentment_reporting_rate,
    rate_source(transactions.presentment_currency, presentment.exchange_rate_source) as presentment_reporting_rate_source,
    in_dollars(
        transactions.presentment_amount, transactions.presentment_currency, presentment.exchange_rate
    ) as reporting_presentment_amount,
    rate(transactions.currency, settlement.exchange_rate) as reporting_rate,
    rate_source(transactions.currency, settlement.exchange_rate_source) as reporting_rate_source,
    in_dollars(transactions.gross_amount, transactions.currency, settlement.exchange_rate) as reporting_gross_amount,
    case
        when transactions.exchange_rate is null then 0
        else reporting_gross_amount - reporting_presentment_amount
    end as conversion_gain_amount,
    transactions.created_at,
    transactions.available_on,
from presented_transactions() as transactions
left join payout_lists() as lists using (balance_transaction_id)
left join (
    select moved.object_id as balance_transaction_id, payouts.object_id as payout_id, moved.unsettled_amount
    from drawn as moved
    left join drawn as payouts on moved.currency = payouts.currency and moved.payout_event_no = payouts.event_no
    where moved.kind = 'transaction'
) as inferred using (balance_transaction_id)
left join rates() as presentment
    on transactions.presentment_currency = presentment.currency and transactions.created_at::date = presentment.rate_date
left join rates() as settlement
    on transactions.currency = settlement.currency and transactions.created_at::date = settlement.rate_date
