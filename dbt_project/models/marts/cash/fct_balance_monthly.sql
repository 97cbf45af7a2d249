with moved as (

    -- Stripe's balance report: everything but payouts and their returns is activity, a payout's fee too
    select
        currency,
        {{ year_month(date_of('created_at')) }} as period,
        case when type in ('payout', 'payout_cancel', 'payout_failure') then -fee_amount else net_amount end as activity_amount,
        case when type in ('payout', 'payout_cancel', 'payout_failure') then gross_amount else {{ decimal_literal('0') }} end as payouts_amount,
    from {{ ref('fct_balance_transactions') }}

),

by_month as (

    select
        currency,
        period,
        {{ sum_decimal('activity_amount') }} as activity_amount,
        {{ sum_decimal('payouts_amount') }} as payouts_amount,
    from moved
    group by currency, period

),

rolled as (

    select
        *,
        {{ to_decimal('sum(activity_amount + payouts_amount) over (partition by currency order by period)') }} as closing_amount,
    from by_month

)

select
    currency,
    period,
    {{ to_decimal('closing_amount - activity_amount - payouts_amount') }} as opening_amount,
    activity_amount,
    payouts_amount,
    closing_amount,
    {{ certified_through() }} as certified_through,
from rolled
