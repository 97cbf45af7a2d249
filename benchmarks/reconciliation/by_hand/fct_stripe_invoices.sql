select
    object_id as stripe_invoice_id,
    payload ->> '$.metadata.orb_invoice_id' as invoice_id,
    ids.customer_id,
    payload ->> '$.customer' as stripe_customer_id,
    payload ->> '$.number' as invoice_number,
    payload ->> '$.status' as status,
    upper(payload ->> '$.currency') as currency,
    major(payload ->> '$.subtotal', payload ->> '$.currency') as subtotal_amount,
    case
        when json_type(payload, '$.total_taxes') = 'ARRAY'
            then major(added(json_extract(payload, '$.total_taxes[*]'), '$.amount'), payload ->> '$.currency')
        else
            major(payload ->> '$.total', payload ->> '$.currency')
            - major(payload ->> '$.total_excluding_tax', payload ->> '$.currency')
    end as tax_amount,
    major(payload ->> '$.total', payload ->> '$.currency') as total_amount,
    major(payload ->> '$.amount_due', payload ->> '$.currency') as amount_due,
    major(payload ->> '$.amount_paid', payload ->> '$.currency') as amount_paid,
    major(payload ->> '$.amount_remaining', payload ->> '$.currency') as amount_remaining,
    internal.customer_id is not null as is_internal,
    seconds_at(payload ->> '$.created')::date as invoice_date,
    seconds_at(payload ->> '$.due_date')::date as due_date,
    seconds_at(payload ->> '$.created') as created_at,
    seconds_at(payload ->> '$.status_transitions.finalized_at') as finalized_at,
    seconds_at(payload ->> '$.status_transitions.paid_at') as paid_at,
    seconds_at(payload ->> '$.status_transitions.voided_at') as voided_at,
from newest('raw_stripe.invoices') as invoices
left join stripe_customers() as ids on payload ->> '$.customer' = ids.stripe_customer_id
left join internal_customers() as internal on ids.customer_id = internal.customer_id
where payload ->> '$.livemode' = 'true' and not is_gone
