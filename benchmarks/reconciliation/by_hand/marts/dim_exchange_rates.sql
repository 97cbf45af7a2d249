with published as materialized (
    from rates()
)

select
    currency,
    'USD' as reporting_currency,
    exchange_rate,
    exchange_rate_source,
    published_on,
    rate_date,
from published
union all
select distinct
    'USD',
    'USD',
    1::decimal(38, 9),
    'same currency',
    rate_date,
    rate_date,
from published
