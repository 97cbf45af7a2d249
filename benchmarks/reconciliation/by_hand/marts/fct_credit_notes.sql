select
    notes.object_id as credit_note_id,
    notes.credit_note_number,
    notes.invoice_id,
    notes.customer.external_customer_id as customer_id,
    notes.type as credit_note_type,
    notes.reason,
    upper(invoices.currency) as currency,
    notes.total as total_amount,
    notes.voided_at is not null as is_void,
    notes.created_at,
    notes.voided_at,
from objects('raw_orb.credit_notes', '{
    "credit_note_number": "varchar",
    "invoice_id": "varchar",
    "customer": {"external_customer_id": "varchar"},
    "type": "varchar",
    "reason": "varchar",
    "total": "decimal(38, 9)",
    "created_at": "timestamp",
    "voided_at": "timestamp"
}') as notes
inner join objects('raw_orb.invoices', '{"currency": "varchar"}') as invoices on notes.invoice_id = invoices.object_id
where not notes.is_gone
