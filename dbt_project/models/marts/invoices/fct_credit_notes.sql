select
    notes.credit_note_id,
    notes.credit_note_number,
    notes.invoice_id,
    notes.external_customer_id as customer_id,
    notes.credit_note_type,
    notes.reason,
    invoices.currency,
    notes.total_amount,
    notes.voided_at is not null as is_void,
    cast(notes.created_at as timestamp) as created_at,
    cast(notes.voided_at as timestamp) as voided_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_orb__credit_notes') }} as notes
inner join {{ ref('stg_orb__invoices') }} as invoices on notes.invoice_id = invoices.invoice_id
where not notes.is_deleted
