select
    invoices.object_id as stripe_invoice_id,
    invoices.metadata.orb_invoice_id as invoice_id,
    ids.customer_id,
    invoices.customer as stripe_customer_id,
    invoices.number as invoice_number,
    invoices.status,
    upper(invoices.currency) as currency,
    major(invoices.subtotal, invoices.currency) as subtotal_amount,
    major(added([each.amount for each in invoices.total_taxes]), invoices.currency) as tax_amount,
    major(invoices.total, invoices.currency) as total_amount,
    major(invoices.amount_due, invoices.currency) as amount_due,
    major(invoices.amount_paid, invoices.currency) as amount_paid,
    major(invoices.amount_remaining, invoices.currency) as amount_remaining,
    coalesce(ids.customer_id in (select customer_id from internal_customers()), false) as is_internal,
    seconds_at(invoices.created)::date as invoice_date,
    seconds_at(invoices.due_date)::date as due_date,
    seconds_at(invoices.created) as created_at,
    seconds_at(invoices.status_transitions.finalized_at) as finalized_at,
    seconds_at(invoices.status_transitions.paid_at) as paid_at,
    seconds_at(invoices.status_transitions.marked_uncollectible_at) as marked_uncollectible_at,
    seconds_at(invoices.status_transitions.voided_at) as voided_at,
from objects('raw_stripe.invoices', '{
    "livemode": "boolean",
    "metadata": {"orb_invoice_id": "varchar"},
    "customer": "varchar",
    "number": "varchar",
    "status": "varchar",
    "currency": "varchar",
    "subtotal": "decimal(38, 9)",
    "total_taxes": [{"amount": "decimal(38, 9)"}],
    "total": "decimal(38, 9)",
    "amount_due": "decimal(38, 9)",
    "amount_paid": "decimal(38, 9)",
    "amount_remaining": "decimal(38, 9)",
    "created": "bigint",
    "due_date": "bigint",
    "status_transitions": {
        "finalized_at": "bigint", "paid_at": "bigint", "marked_uncollectible_at": "bigint", "voided_at": "bigint"
    }
}') as invoices
left join stripe_customers() as ids on invoices.customer = ids.stripe_customer_id
where invoices.livemode and not invoices.is_gone
