-- Which breaks worth over 1,000 in our own currency are older than 30 days, and who has them?
-- A break is as old as the money: its days count from the end of its month to the end of the month asked.

with breaks as (

    select
        *,
        {{ date_difference('day', add_to_date('month', 1, to_date("concat(period, '-01')")), month_end()) }} + 1 as days_old,
    from {{ ref('fct_breaks') }}
    where is_open and status = 'break' and hop <> 'metered'

)

select
    left(breaks.break_id, 8) as break_id,
    breaks.hop,
    breaks.cause,
    breaks.period,
    breaks.days_old,
    breaks.customer_id,
    breaks.owner,
    breaks.currency,
    breaks.difference as difference_amount,
    {{ reporting_currency() }} as reporting_currency,
    {{ round_half_away(reporting_amount('abs(breaks.difference)', 'breaks.currency'), 2) }} as worth_amount,
from breaks
{{ join_exchange_rates('breaks.currency', month_end()) }}
where breaks.days_old >= 30 and {{ reporting_amount('abs(breaks.difference)', 'breaks.currency') }} > 1000
order by worth_amount desc, break_id
