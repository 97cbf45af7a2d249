select
    invoices.object_id as invoice_id,
    invoices.payload ->> '$.invoice_number' as invoice_number,
    invoices.payload ->> '$.customer.external_customer_id' as customer_id,
    invoices.payload ->> '$.subscription.id' as orb_subscription_id,
    stripe.stripe_invoice_id,
    invoices.payload ->> '$.status' as status,
    invoices.payload ->> '$.invoice_source' as invoice_source,
    upper(invoices.payload ->> '$.currency') as currency,
    (invoices.payload ->> '$.subtotal')::decimal(38, 9) as subtotal_amount,
    coalesce(lines.discount_amount, 0) as discount_amount,
    coalesce(lines.minimum_amount, 0) as minimum_amount,
    coalesce(lines.credits_applied_amount, 0) as credits_applied_amount,
    coalesce(lines.tax_amount, 0) as tax_amount,
    (invoices.payload ->> '$.total')::decimal(38, 9) as total_amount,
    (invoices.payload ->> '$.amount_due')::decimal(38, 9) as amount_due,
    case
        when len(attempts) > 0 then added(attempts, '$.amount')
        when invoices.payload ->> '$.status' = 'paid' then (invoices.payload ->> '$.amount_due')::decimal(38, 9)
        else 0
    end as amount_paid,
    internal.customer_id is not null as is_internal,
    (invoices.payload ->> '$.invoice_date')::timestamptz::date as invoice_date,
    (invoices.payload ->> '$.due_date')::timestamptz::date as due_date,
    instant(coalesce(invoices.payload ->> '$.scheduled_issue_at', invoices.payload ->> '$.eligible_to_issue_at')) as to_issue_at,
    instant(invoices.payload ->> '$.issued_at') as issued_at,
    instant(invoices.payload ->> '$.paid_at') as paid_at,
    instant(invoices.payload ->> '$.voided_at') as voided_at,
from (
    select
        *,
        list_filter(json_extract(payload, '$.payment_attempts[*]'), lambda each: (each ->> '$.succeeded') = 'true') as attempts,
    from newest('raw_orb.invoices')
    where not is_gone
) as invoices
left join (
    select
        invoice_id,
        sum(discount_amount) as discount_amount,
        sum(minimum_amount) as minimum_amount,
        sum(credits_applied_amount) as credits_applied_amount,
        sum(tax_amount) as tax_amount,
    from orb_lines()
    group by invoice_id
) as lines on invoices.object_id = lines.invoice_id
left join (
    select
        payload ->> '$.metadata.orb_invoice_id' as invoice_id,
        object_id as stripe_invoice_id,
    from newest('raw_stripe.invoices')
    where payload ->> '$.livemode' = 'true' and not is_gone
    qualify row_number() over (
        partition by payload ->> '$.metadata.orb_invoice_id'
        order by payload ->> '$.status' = 'void', (payload ->> '$.created')::bigint, object_id
    ) = 1
) as stripe on invoices.object_id = stripe.invoice_id
left join internal_customers() as internal on invoices.payload ->> '$.customer.external_customer_id' = internal.customer_id
