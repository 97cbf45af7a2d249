with lines as (
    select
        invoice_id,
        sum(discount_amount)::decimal(38, 9) as discount_amount,
        sum(minimum_amount)::decimal(38, 9) as minimum_amount,
        sum(credits_applied_amount)::decimal(38, 9) as credits_applied_amount,
        sum(tax_amount)::decimal(38, 9) as tax_amount,
    from orb_lines()
    group by invoice_id
),

stripe_invoices as (
    select distinct on (metadata.orb_invoice_id) object_id, metadata.orb_invoice_id as invoice_id
    from objects('raw_stripe.invoices', '{
        "livemode": "boolean", "metadata": {"orb_invoice_id": "varchar"}, "status": "varchar", "created": "bigint"
    }')
    where livemode and not is_gone
    order by status = 'void', created, object_id
)

select
    invoice_id,
    invoice_number,
    customer_id,
    subscription.id as orb_subscription_id,
    stripe_invoices.object_id as stripe_invoice_id,
    status,
    invoice_source,
    upper(currency) as currency,
    subtotal as subtotal_amount,
    coalesce(discount_amount, 0) as discount_amount,
    coalesce(minimum_amount, 0) as minimum_amount,
    coalesce(credits_applied_amount, 0) as credits_applied_amount,
    coalesce(tax_amount, 0) as tax_amount,
    total as total_amount,
    amount_due,
    coalesce(
        list_sum([each.amount for each in payment_attempts if each.succeeded]), case when status = 'paid' then amount_due end, 0
    )::decimal(38, 9) as amount_paid,
    customer_id in (select customer_id from internal_customers()) as is_internal,
    invoice_date::date as invoice_date,
    due_date::date as due_date,
    coalesce(scheduled_issue_at, eligible_to_issue_at) as to_issue_at,
    issued_at,
    paid_at,
    voided_at,
from orb_invoices()
left join lines using (invoice_id)
left join stripe_invoices using (invoice_id)
