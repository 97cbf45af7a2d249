select
    refunds.object_id as refund_id,
    refunds.charge as payment_id,
    charges.stripe_invoice_id,
    charges.customer_id,
    refunds.balance_transaction as balance_transaction_id,
    refunds.failure_balance_transaction as failure_balance_transaction_id,
    coalesce(charges.purpose, 'other') as purpose,
    refunds.status,
    refunds.reason,
    upper(refunds.currency) as currency,
    major(refunds.amount, refunds.currency) as amount,
    seconds_at(refunds.created) as created_at,
from objects('raw_stripe.refunds', '{
    "charge": "varchar",
    "balance_transaction": "varchar",
    "failure_balance_transaction": "varchar",
    "status": "varchar",
    "reason": "varchar",
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "created": "bigint"
}') as refunds
left join charges() as charges on refunds.charge = charges.payment_id
where not refunds.is_gone and refunds.object_id not in (select object_id from test_mode_objects())
