with moved as (
    select
        currency,
        month_of(created_at) as period,
        type in ('payout', 'payout_cancel', 'payout_failure') as is_payout,
        gross_amount,
        fee_amount,
        net_amount,
    from balance_transactions()
),

by_month as (
    select
        currency,
        period,
        sum(case when is_payout then -fee_amount else net_amount end)::decimal(38, 9) as activity_amount,
        sum(case when is_payout then gross_amount else 0 end)::decimal(38, 9) as payouts_amount,
    from moved
    group by all
),

rolled as (
    select
        *,
        (sum(activity_amount + payouts_amount) over (partition by currency order by period))::decimal(38, 9) as closing_amount,
    from by_month
)

select
    currency,
    period,
    closing_amount - activity_amount - payouts_amount as opening_amount,
    activity_amount,
    payouts_amount,
    closing_amount,
from rolled
