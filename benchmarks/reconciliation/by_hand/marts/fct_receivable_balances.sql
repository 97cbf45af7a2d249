select
    key([invoice_id, strftime(valid_from, '%Y-%m-%d')]) as receivable_balance_id,
    invoice_id,
    customer_id,
    currency,
    change_amount,
    open_amount,
    invoice_date,
    due_date,
    valid_from,
    valid_to,
from receivable_balances()
