select
    object_id as refund_id,
    payload ->> '$.charge' as payment_id,
    charges.stripe_invoice_id,
    charges.customer_id,
    payload ->> '$.balance_transaction' as balance_transaction_id,
    payload ->> '$.failure_balance_transaction' as failure_balance_transaction_id,
    coalesce(charges.purpose, 'other') as purpose,
    payload ->> '$.status' as status,
    payload ->> '$.reason' as reason,
    upper(payload ->> '$.currency') as currency,
    major(payload ->> '$.amount', payload ->> '$.currency') as amount,
    seconds_at(payload ->> '$.created') as created_at,
from newest('raw_stripe.refunds') as refunds
left join charge_purposes() as charges on payload ->> '$.charge' = charges.charge_id
where not is_gone and object_id not in (select object_id from test_mode_objects())
