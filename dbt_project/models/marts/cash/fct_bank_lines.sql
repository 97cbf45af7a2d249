select
    statement_line_id as bank_line_id,
    account_id,
    description,
    reference,
    currency,
    amount,
    balance,
    booked_on,
    value_on,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_bank__statement_lines') }}
where not is_deleted
