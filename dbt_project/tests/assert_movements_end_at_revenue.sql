{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_revenue_movements'}}}) }}

-- Movements of a part of the revenue add up just as well: what they end at has to be all that was earned in the month.
with earned as (

    select
        {{ year_month('revenue_date') }} as period,
        {{ sum_if_complete('reporting_amount') }} as amount,
    from {{ ref('fct_revenue_daily') }}
    where revenue_kind not in ('credit_note', 'breakage')
    group by {{ year_month('revenue_date') }}

),

moved as (

    select
        period,
        {{ sum_if_complete('closing_amount') }} as amount,
    from {{ ref('fct_revenue_movements') }}
    group by period

)

select
    moved.period,
    earned.amount as earned_amount,
    moved.amount as moved_amount,
from moved
left join earned on moved.period = earned.period
where coalesce(moved.amount, 0) <> coalesce(earned.amount, 0)
