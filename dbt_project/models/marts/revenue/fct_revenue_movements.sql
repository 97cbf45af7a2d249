{%- set nothing = decimal_literal('0') -%}

with months as (

    select
        *,
        sum(amount) over (partition by customer_id, currency, month_start) as amount_in_currency,
        lag(quantity, 1, {{ nothing }}) over earlier as quantity_before,
        lag(amount, 1, {{ nothing }}) over earlier as amount_before,
        lag(reporting_amount, 1, {{ nothing }}) over earlier as reporting_amount_before,
    from {{ ref('int_revenue__product_months') }}
    window earlier as (partition by customer_id, product_id, currency order by month_start)

),

growth as (

    -- on its own, or DuckDB would plan a long division three times for each product of it
    select
        *,
        {{ big_divide('quantity', 'quantity_before') }} as quantity_growth,
        {{ big_divide('amount', 'amount_before') }} as amount_growth,
    from months

),

steps as (

    -- from last month's revenue to this month's: first as much as now at last month's prices, then at today's, then at today's exchange rates
    select
        *,
        case
            when amount_before = 0 then reporting_amount
            when quantity_before > 0 then {{ to_decimal(big_multiply('reporting_amount_before', 'quantity_growth')) }}
            when amount = 0 then {{ nothing }}
            else reporting_amount_before
        end as at_last_prices,
        case
            when amount_before = 0 or currency = {{ reporting_currency() }} then reporting_amount
            else {{ to_decimal(big_multiply('reporting_amount_before', 'amount_growth')) }}
        end as at_last_rates,
    from growth

),

customers as (

    select
        customer_id,
        month_start,
        max(amount_in_currency) > 0 as is_active,
        {{ sum_if_complete('reporting_amount_before') }} as opening_amount,
        {{ sum_if_complete('at_last_prices - reporting_amount_before') }} as volume_amount,
        {{ sum_if_complete('at_last_rates - at_last_prices') }} as price_amount,
        {{ sum_if_complete('reporting_amount - at_last_rates') }} as exchange_rate_amount,
        {{ sum_if_complete('reporting_amount') }} as closing_amount,
    from steps
    group by customer_id, month_start

),

lives as (

    select
        *,
        {{ to_decimal('closing_amount - opening_amount') }} as change_amount,
        {{ to_decimal('opening_amount + volume_amount + price_amount') }} as at_last_rates_amount,
        min(case when is_active then month_start end) over (partition by customer_id) as cohort_start,
        coalesce(lag(is_active) over life, false) as was_active,
        coalesce(lag(is_active, 12) over life, false) as was_active_a_year_ago,
        lag(closing_amount, 12) over life as closing_a_year_ago,
    from customers
    window life as (partition by customer_id order by month_start)

),

moved as (

    select
        *,
        case
            when is_active and month_start = cohort_start then 'new'
            when is_active and not was_active then 'reactivation'
            when was_active and not is_active then 'churn'
            when not is_active then 'inactive'
            when at_last_rates_amount > opening_amount then 'expansion'
            when at_last_rates_amount < opening_amount then 'contraction'
            when at_last_rates_amount = opening_amount then 'unchanged'
        end as movement,
        is_active <> was_active as has_turned,
    from lives

)

select
    {{ surrogate_key(['moved.customer_id', year_month('moved.month_start')]) }} as revenue_movement_id,
    moved.customer_id,
    {{ year_month('moved.cohort_start') }} as cohort,
    {{ reporting_currency() }} as reporting_currency,
    {{ year_month('moved.month_start') }} as period,
    moved.movement,
    moved.opening_amount,
    {% for movement in ['new', 'reactivation'] -%}
    case when moved.movement = '{{ movement }}' then moved.change_amount else {{ nothing }} end as {{ movement }}_amount,
    {% endfor -%}
    case when moved.has_turned or moved.volume_amount < 0 then {{ nothing }} else moved.volume_amount end as expansion_amount,
    case when moved.has_turned or moved.volume_amount > 0 then {{ nothing }} else moved.volume_amount end as contraction_amount,
    {% for part in ['price', 'exchange_rate'] -%}
    case when moved.has_turned then {{ nothing }} else moved.{{ part }}_amount end as {{ part }}_change_amount,
    {% endfor -%}
    case when moved.movement = 'churn' then moved.change_amount else {{ nothing }} end as churn_amount,
    moved.closing_amount,
    case when moved.was_active then moved.opening_amount else {{ nothing }} end as base_amount,
    case
        when not moved.was_active then {{ nothing }}
        when not moved.is_active then moved.closing_amount
        when moved.at_last_rates_amount > moved.opening_amount then moved.opening_amount
        else moved.at_last_rates_amount
    end as gross_retained_amount,
    case
        when not moved.was_active then {{ nothing }}
        when not moved.is_active then moved.closing_amount
        else moved.at_last_rates_amount
    end as net_retained_amount,
    case when moved.was_active_a_year_ago then moved.closing_a_year_ago else {{ nothing }} end as year_base_amount,
    case
        when not moved.was_active_a_year_ago then {{ nothing }}
        when moved.closing_amount > moved.closing_a_year_ago then moved.closing_a_year_ago
        else moved.closing_amount
    end as year_gross_retained_amount,
    case when moved.was_active_a_year_ago then moved.closing_amount else {{ nothing }} end as year_net_retained_amount,
    moved.is_active,
    {{ certified_through() }} as certified_through,
from moved
