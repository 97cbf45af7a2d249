select
    object_id as bank_line_id,
    account_id,
    description,
    nullif(reference, '') as reference,
    upper(currency) as currency,
    amount,
    balance,
    booked_on,
    value_on,
from objects('raw_bank.statement_lines', '{
    "account_id": "varchar",
    "description": "varchar",
    "reference": "varchar",
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "balance": "decimal(38, 9)",
    "booked_on": "date",
    "value_on": "date"
}')
where not is_gone
