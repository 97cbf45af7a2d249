select
    invoices.invoice_id as stripe_invoice_id,
    invoices.orb_invoice_id as invoice_id,
    ids.customer_id,
    invoices.customer_id as stripe_customer_id,
    invoices.invoice_number,
    invoices.status,
    invoices.currency,
    invoices.subtotal_amount,
    coalesce(invoices.stated_tax_amount, invoices.tax_amount) as tax_amount,
    invoices.total_amount,
    invoices.amount_due,
    invoices.amount_paid,
    invoices.amount_remaining,
    coalesce(customers.is_internal, false) as is_internal,
    {{ date_of('invoices.created_at') }} as invoice_date,
    {{ date_of('invoices.due_at') }} as due_date,
    cast(invoices.created_at as timestamp) as created_at,
    cast(invoices.finalized_at as timestamp) as finalized_at,
    cast(invoices.paid_at as timestamp) as paid_at,
    cast(invoices.marked_uncollectible_at as timestamp) as marked_uncollectible_at,
    cast(invoices.voided_at as timestamp) as voided_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__invoices') }} as invoices
left join {{ ref('int_customers__stripe_ids') }} as ids on invoices.customer_id = ids.stripe_customer_id
left join {{ ref('dim_customers') }} as customers on ids.customer_id = customers.customer_id
where invoices.is_livemode and not invoices.is_deleted
