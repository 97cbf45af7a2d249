with used as materialized (
    from usage_by_product()
),

cohorts as (
    select
        cohort,
        period,
        count(*) filter (is_active) as active_customers,
        sum(columns('.*_amount'))::decimal(38, 9),
    from revenue_movements('used')
    group by cohort, period
)

select
    key([cohort, period]) as retention_id,
    cohort,
    'USD' as reporting_currency,
    * exclude (cohort),
    quotient(gross_retained_amount, base_amount) as gross_retention,
    quotient(net_retained_amount, base_amount) as net_retention,
    quotient(year_gross_retained_amount, year_base_amount) as year_gross_retention,
    quotient(year_net_retained_amount, year_base_amount) as year_net_retention,
    period < (select month_of(max(usage_date) + 1) from used) as is_complete,
from cohorts
