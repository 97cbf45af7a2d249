select
    object_id as bank_line_id,
    payload ->> '$.account_id' as account_id,
    payload ->> '$.description' as description,
    nullif(payload ->> '$.reference', '') as reference,
    upper(payload ->> '$.currency') as currency,
    (payload ->> '$.amount')::decimal(38, 9) as amount,
    nullif(payload ->> '$.balance', '')::decimal(38, 9) as balance,
    (payload ->> '$.booked_on')::date as booked_on,
    nullif(payload ->> '$.value_on', '')::date as value_on,
from newest('raw_bank.statement_lines')
where not is_gone
