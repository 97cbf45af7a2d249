with drawn as materialized (
    from draws()
),

listed as (
    select payout_id, count(*) as transaction_count, sum(net_amount)::decimal(38, 9) as net_amount
    from payout_lists()
    group by payout_id
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
        from drawn
        where payout_event_no is not null
        group by currency, payout_event_no
    ) as parts on payouts.currency = parts.currency and payouts.event_no = parts.payout_event_no
    where payouts.kind = 'by_hand'
    window segment as (partition by payouts.currency, payouts.segment_no order by payouts.event_no)
),

attributed as (
    select
        payouts.*,
        case
            when inferred.payout_id is not null then 'inferred'
            when not payouts.automatic then 'deducted'
            when payouts.reconciliation_status = 'completed' then 'listed'
            else 'not_listed_yet'
        end as attribution,
        major(payouts.amount, payouts.currency) as payout_amount,
        coalesce(debits.fee_amount, 0) as fee_amount,
        coalesce(inferred.net_amount, listed.net_amount, 0)::decimal(38, 9) as net_amount,
        coalesce(inferred.remainder_amount, 0)::decimal(38, 9) as remainder_amount,
        coalesce(inferred.transaction_count, listed.transaction_count, 0) as transaction_count,
    from objects('raw_stripe.payouts', '{
        "livemode": "boolean",
        "balance_transaction": "varchar",
        "trace_id": {"value": "varchar"},
        "status": "varchar",
        "method": "varchar",
        "automatic": "boolean",
        "reconciliation_status": "varchar",
        "currency": "varchar",
        "amount": "decimal(38, 9)",
        "created": "bigint",
        "arrival_date": "bigint"
    }') as payouts
    left join balance_transactions() as debits on payouts.balance_transaction = debits.balance_transaction_id
    left join listed on payouts.object_id = listed.payout_id
    left join inferred on payouts.object_id = inferred.payout_id
    where payouts.livemode and not payouts.is_gone
)

select
    object_id as payout_id,
    balance_transaction as balance_transaction_id,
    trace_id.value as trace_id,
    upper(currency) as currency,
    status,
    method,
    attribution,
    payout_amount as amount,
    fee_amount,
    case when attribution = 'deducted' then payout_amount else net_amount - fee_amount end as transactions_amount,
    remainder_amount,
    case
        when attribution = 'inferred' then round(quotient(net_amount - remainder_amount, payout_amount + fee_amount), 4)
        when attribution <> 'not_listed_yet' then 1
    end::decimal(38, 9) as confidence,
    transaction_count,
    automatic as is_automatic,
    seconds_at(created) as created_at,
    seconds_at(arrival_date)::date as arrival_date,
from attributed
