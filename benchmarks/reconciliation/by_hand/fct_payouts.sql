with drawn as materialized (
    select * from draws()
),

inferred as (
    select
        payouts.object_id as payout_id,
        coalesce(parts.transaction_count, 0) as transaction_count,
        payouts.amount - payouts.uncovered_amount + lag(payouts.uncovered_amount, 1, 0) over segment as net_amount,
        payouts.position - coalesce(sum(parts.net_amount) over segment, 0) as remainder_amount,
    from drawn as payouts
    left join (
        select currency, payout_event_no, count(*) as transaction_count, sum(amount) as net_amount
        from drawn where payout_event_no is not null group by currency, payout_event_no
    ) as parts on payouts.currency = parts.currency and payouts.event_no = parts.payout_event_no
    where payouts.kind = 'by_hand'
    window segment as (partition by payouts.currency, payouts.segment_no order by payouts.event_no)
),

attributed as (
    select
        payouts.object_id as payout_id,
        payouts.payload,
        case
            when inferred.payout_id is not null then 'inferred'
            when payouts.payload ->> '$.automatic' = 'false' then 'deducted'
            when payouts.payload ->> '$.reconciliation_status' = 'completed' then 'listed'
            else 'not_listed_yet'
        end as attribution,
        major(payouts.payload ->> '$.amount', payouts.payload ->> '$.currency') as amount,
        coalesce(major(debits.payload ->> '$.fee', debits.payload ->> '$.currency'), 0)::decimal(38, 9) as fee_amount,
        coalesce(inferred.net_amount, listed.net_amount, 0)::decimal(38, 9) as net_amount,
        coalesce(inferred.remainder_amount, 0)::decimal(38, 9) as remainder_amount,
        coalesce(inferred.transaction_count, listed.transaction_count, 0) as transaction_count,
    from newest('raw_stripe.payouts') as payouts
    left join newest('raw_stripe.balance_transactions') as debits on payouts.payload ->> '$.balance_transaction' = debits.object_id
    left join (
        select payout_id, count(*) as transaction_count, sum(net_amount) as net_amount from payout_lists() group by payout_id
    ) as listed on payouts.object_id = listed.payout_id
    left join inferred on payouts.object_id = inferred.payout_id
    where payouts.payload ->> '$.livemode' = 'true' and not payouts.is_gone
)

select
    payout_id,
    payload ->> '$.balance_transaction' as balance_transaction_id,
    payload ->> '$.trace_id.value' as trace_id,
    upper(payload ->> '$.currency') as currency,
    payload ->> '$.status' as status,
    payload ->> '$.method' as method,
    attribution,
    amount,
    fee_amount,
    case when attribution = 'deducted' then amount else net_amount - fee_amount end as transactions_amount,
    remainder_amount,
    case
        when attribution = 'inferred' then round(quotient(net_amount - remainder_amount, amount + fee_amount), 4)
        when attribution <> 'not_listed_yet' then 1
    end as confidence,
    transaction_count,
    payload ->> '$.automatic' = 'true' as is_automatic,
    seconds_at(payload ->> '$.created') as created_at,
    seconds_at(payload ->> '$.arrival_date')::date as arrival_date,
from attributed
