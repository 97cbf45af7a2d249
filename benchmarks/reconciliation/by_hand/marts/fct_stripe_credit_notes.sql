select
    notes.object_id as stripe_credit_note_id,
    notes.metadata.orb_credit_note_id as credit_note_id,
    notes.number as credit_note_number,
    notes.invoice as stripe_invoice_id,
    ids.customer_id,
    notes.type as credit_note_type,
    notes.status,
    notes.reason,
    upper(notes.currency) as currency,
    major(notes.total, notes.currency) as total_amount,
    major(notes.pre_payment_amount, notes.currency) as pre_payment_amount,
    major(notes.post_payment_amount, notes.currency) as post_payment_amount,
    major(
        added([each.amount_refunded for each in notes.refunds]) + coalesce(notes.out_of_band_amount, 0), notes.currency
    ) as returned_amount,
    seconds_at(notes.created) as created_at,
    seconds_at(notes.voided_at) as voided_at,
from objects('raw_stripe.credit_notes', '{
    "livemode": "boolean",
    "metadata": {"orb_credit_note_id": "varchar"},
    "number": "varchar",
    "invoice": "varchar",
    "customer": "varchar",
    "type": "varchar",
    "status": "varchar",
    "reason": "varchar",
    "currency": "varchar",
    "total": "decimal(38, 9)",
    "pre_payment_amount": "decimal(38, 9)",
    "post_payment_amount": "decimal(38, 9)",
    "refunds": [{"amount_refunded": "decimal(38, 9)"}],
    "out_of_band_amount": "decimal(38, 9)",
    "created": "bigint",
    "voided_at": "bigint"
}') as notes
left join stripe_customers() as ids on notes.customer = ids.stripe_customer_id
where notes.livemode and not notes.is_gone
