select
    close_ledger_row_id,
    close_id,
    close_period,
    figure,
    detail,
    customer_id,
    product_id,
    currency,
    period,
    amount,
    cast(closed_as_of as timestamp) as closed_as_of,
from {{ ref('int_close__frozen_rows') }}
where row_kind = 'figure'
