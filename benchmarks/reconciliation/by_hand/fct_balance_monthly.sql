with moved as (
    select
        upper(payload ->> '$.currency') as currency,
        strftime(seconds_at(payload ->> '$.created'), '%Y-%m') as period,
        payload ->> '$.type' in ('payout', 'payout_cancel', 'payout_failure') as is_payout,
        major(payload ->> '$.amount', payload ->> '$.currency') as gross_amount,
        major(payload ->> '$.fee', payload ->> '$.currency') as fee_amount,
        major(payload ->> '$.net', payload ->> '$.currency') as net_amount,
    from newest('raw_stripe.balance_transactions')
    where not is_gone and coalesce(payload ->> '$.source', '') not in (select object_id from test_mode_objects())
),

by_month as (
    select
        currency,
        period,
        sum(case when is_payout then -fee_amount else net_amount end) as activity_amount,
        sum(case when is_payout then gross_amount else 0 end) as payouts_amount,
        sum(sum(case when is_payout then gross_amount - fee_amount else net_amount end)) over (
            partition by currency order by period
        ) as closing_amount,
    from moved
    group by currency, period
)

select
    currency,
    period,
    closing_amount - activity_amount - payouts_amount as opening_amount,
    activity_amount,
    payouts_amount,
    closing_amount,
from by_month
