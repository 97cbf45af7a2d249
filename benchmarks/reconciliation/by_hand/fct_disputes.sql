select
    object_id as dispute_id,
    payload ->> '$.charge' as payment_id,
    charges.stripe_invoice_id,
    charges.customer_id,
    coalesce(charges.purpose, 'other') as purpose,
    payload ->> '$.status' as status,
    payload ->> '$.reason' as reason,
    upper(payload ->> '$.currency') as currency,
    major(payload ->> '$.amount', payload ->> '$.currency') as amount,
    payload ->> '$.status' not in ('warning_needs_response', 'warning_under_review', 'warning_closed', 'prevented') as is_withdrawn,
    seconds_at(payload ->> '$.created') as created_at,
from newest('raw_stripe.disputes') as disputes
left join charge_purposes() as charges on payload ->> '$.charge' = charges.charge_id
where payload ->> '$.livemode' = 'true' and not is_gone
