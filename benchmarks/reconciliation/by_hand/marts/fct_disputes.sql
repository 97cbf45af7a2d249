select
    disputes.object_id as dispute_id,
    disputes.charge as payment_id,
    charges.stripe_invoice_id,
    charges.customer_id,
    coalesce(charges.purpose, 'other') as purpose,
    disputes.status,
    disputes.reason,
    upper(disputes.currency) as currency,
    major(disputes.amount, disputes.currency) as amount,
    disputes.status not in ('warning_needs_response', 'warning_under_review', 'warning_closed', 'prevented') as is_withdrawn,
    seconds_at(disputes.created) as created_at,
from objects('raw_stripe.disputes', '{
    "livemode": "boolean",
    "charge": "varchar",
    "status": "varchar",
    "reason": "varchar",
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "created": "bigint"
}') as disputes
left join charges() as charges on disputes.charge = charges.payment_id
where disputes.livemode and not disputes.is_gone
