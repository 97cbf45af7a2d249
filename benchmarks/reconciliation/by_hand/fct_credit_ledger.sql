select
    object_id as ledger_entry_id,
    payload ->> '$.customer.external_customer_id' as customer_id,
    payload ->> '$.credit_block.id' as credit_block_id,
    payload ->> '$.invoice_id' as invoice_id,
    payload ->> '$.price_id' as price_id,
    payload ->> '$.entry_type' as entry_type,
    payload ->> '$.entry_status' as entry_status,
    upper(payload ->> '$.currency') as currency,
    (payload ->> '$.amount')::decimal(38, 9) as amount,
    (payload ->> '$.starting_balance')::decimal(38, 9) as starting_balance,
    (payload ->> '$.ending_balance')::decimal(38, 9) as ending_balance,
    (payload ->> '$.credit_block.per_unit_cost_basis')::decimal(38, 18)::decimal(38, 9) as cost_basis,
    coalesce((payload ->> '$.credit_block.per_unit_cost_basis')::decimal(38, 18), 0) = 0 as is_promotional,
    (payload ->> '$.ledger_sequence_number')::decimal(38, 9)::bigint as sequence_number,
    instant(payload ->> '$.created_at') as created_at,
from newest('raw_orb.credit_ledger')
where not is_gone
