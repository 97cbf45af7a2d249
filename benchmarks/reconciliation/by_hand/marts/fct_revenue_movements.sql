with used as materialized (
    from usage_by_product()
)

select
    key([customer_id, period]) as revenue_movement_id,
    customer_id,
    cohort,
    'USD' as reporting_currency,
    * exclude (customer_id, cohort),
from revenue_movements('used')
