{%- set movements = ['opening', 'new', 'reactivation', 'expansion', 'contraction', 'price_change', 'exchange_rate_change', 'churn', 'closing'] -%}
{%- set retained = ['base', 'gross_retained', 'net_retained', 'year_base', 'year_gross_retained', 'year_net_retained'] -%}

with newest as (

    select max(usage_date) as usage_date
    from {{ ref('fct_usage_daily') }}

),

cohorts as (

    select
        cohort,
        reporting_currency,
        period,
        count(case when is_active then customer_id end) as active_customers,
        {% for figure in movements + retained -%}
        {{ sum_if_complete(figure ~ '_amount') }} as {{ figure }}_amount,
        {% endfor -%}
    from {{ ref('fct_revenue_movements') }}
    group by cohort, reporting_currency, period

)

select
    {{ surrogate_key(['cohorts.cohort', 'cohorts.period']) }} as retention_id,
    cohorts.cohort,
    cohorts.reporting_currency,
    cohorts.period,
    cohorts.active_customers,
    {% for figure in movements + retained -%}
    cohorts.{{ figure }}_amount,
    {% endfor -%}
    {{ divide('cohorts.gross_retained_amount', 'cohorts.base_amount') }} as gross_retention,
    {{ divide('cohorts.net_retained_amount', 'cohorts.base_amount') }} as net_retention,
    {{ divide('cohorts.year_gross_retained_amount', 'cohorts.year_base_amount') }} as year_gross_retention,
    {{ divide('cohorts.year_net_retained_amount', 'cohorts.year_base_amount') }} as year_net_retention,
    cohorts.period < {{ year_month(add_to_date('day', 1, 'newest.usage_date')) }} as is_complete,
    {{ certified_through() }} as certified_through,
from cohorts
cross join newest
