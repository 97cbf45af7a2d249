select
    ledger_entry_id,
    external_customer_id as customer_id,
    credit_block_id,
    invoice_id,
    price_id,
    entry_type,
    entry_status,
    currency,
    amount,
    starting_balance,
    ending_balance,
    {{ to_decimal('cost_basis') }} as cost_basis,
    coalesce(cost_basis, 0) = 0 as is_promotional,
    sequence_number,
    cast(created_at as timestamp) as created_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_orb__credit_ledger') }}
where not is_deleted
