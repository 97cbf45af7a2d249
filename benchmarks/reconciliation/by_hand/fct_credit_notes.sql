select
    notes.object_id as credit_note_id,
    notes.payload ->> '$.credit_note_number' as credit_note_number,
    notes.payload ->> '$.invoice_id' as invoice_id,
    notes.payload ->> '$.customer.external_customer_id' as customer_id,
    notes.payload ->> '$.type' as credit_note_type,
    notes.payload ->> '$.reason' as reason,
    upper(invoices.payload ->> '$.currency') as currency,
    (notes.payload ->> '$.total')::decimal(38, 9) as total_amount,
    notes.payload ->> '$.voided_at' is not null as is_void,
    instant(notes.payload ->> '$.created_at') as created_at,
    instant(notes.payload ->> '$.voided_at') as voided_at,
from newest('raw_orb.credit_notes') as notes
inner join newest('raw_orb.invoices') as invoices on notes.payload ->> '$.invoice_id' = invoices.object_id
where not notes.is_gone
