{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'fct_product_margin'}}}) }}

-- A margin that leaves out a customer or counts one twice still looks like a margin.
with apart as (

    select
        {{ year_month('revenue_date') }} as period,
        reporting_amount as revenue_amount,
        0 as cost_amount,
    from {{ ref('fct_revenue_daily') }}
    union all
    select
        {{ year_month('usage_date') }} as period,
        0 as revenue_amount,
        reporting_cost_amount as cost_amount,
    from {{ ref('fct_serving_costs') }}

),

together as (

    select
        period,
        {{ sum_if_complete('reporting_revenue_amount') }} as revenue_amount,
        {{ sum_if_complete('reporting_cost_amount') }} as cost_amount,
    from {{ ref('fct_product_margin') }}
    group by period

),

expected as (

    select
        period,
        {{ sum_if_complete('revenue_amount') }} as revenue_amount,
        {{ sum_if_complete('cost_amount') }} as cost_amount,
    from apart
    group by period

)

select
    expected.period,
    expected.revenue_amount as expected_revenue_amount,
    together.revenue_amount,
    expected.cost_amount as expected_cost_amount,
    together.cost_amount,
from expected
full outer join together on expected.period = together.period
where
    coalesce(expected.revenue_amount, 0) <> coalesce(together.revenue_amount, 0)
    or coalesce(expected.cost_amount, 0) <> coalesce(together.cost_amount, 0)
