select
    refunds.refund_id,
    refunds.charge_id as payment_id,
    payments.stripe_invoice_id,
    payments.customer_id,
    refunds.balance_transaction_id,
    refunds.failure_balance_transaction_id,
    coalesce(payments.purpose, 'other') as purpose,
    refunds.status,
    refunds.reason,
    refunds.currency,
    refunds.amount,
    cast(refunds.created_at as timestamp) as created_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__refunds') }} as refunds
left join {{ ref('fct_payments') }} as payments on refunds.charge_id = payments.payment_id
left join {{ ref('int_cash__test_mode_objects') }} as test_mode on refunds.refund_id = test_mode.object_id
where not refunds.is_deleted and test_mode.object_id is null
