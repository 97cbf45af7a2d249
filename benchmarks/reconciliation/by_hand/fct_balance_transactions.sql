with inferred as materialized (
    select * from draws()
)

select
    object_id as balance_transaction_id,
    payload ->> '$.source' as source_id,
    case
        when payload ->> '$.type' = 'payout' then payload ->> '$.source' else coalesce(lists.payout_id, inferred.payout_id)
    end as payout_id,
    payload ->> '$.type' as type,
    payload ->> '$.reporting_category' as reporting_category,
    case
        when payload ->> '$.type' = 'payout' then 'own'
        when lists.payout_id is not null then 'listed'
        when inferred.payout_id is not null then 'inferred'
    end as payout_attribution,
    upper(payload ->> '$.currency') as currency,
    (payload ->> '$.exchange_rate')::decimal(38, 18)::decimal(38, 9) as exchange_rate,
    major(payload ->> '$.amount', payload ->> '$.currency') as gross_amount,
    major(payload ->> '$.fee', payload ->> '$.currency') as fee_amount,
    major(payload ->> '$.net', payload ->> '$.currency') as net_amount,
    coalesce(inferred.unsettled_amount, 0) as unsettled_amount,
    seconds_at(payload ->> '$.created') as created_at,
    seconds_at(payload ->> '$.available_on') as available_on,
from newest('raw_stripe.balance_transactions') as transactions
left join payout_lists() as lists on transactions.object_id = lists.balance_transaction_id
left join (
    select drawn.object_id as balance_transaction_id, payouts.object_id as payout_id, drawn.unsettled_amount
    from inferred as drawn
    left join inferred as payouts on drawn.currency = payouts.currency and drawn.payout_event_no = payouts.event_no
    where drawn.kind = 'transaction'
) as inferred on transactions.object_id = inferred.balance_transaction_id
where not is_gone and coalesce(payload ->> '$.source', '') not in (select object_id from test_mode_objects())
