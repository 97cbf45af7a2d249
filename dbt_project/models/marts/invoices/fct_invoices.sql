with lines as (

    select
        invoice_id,
        {{ sum_decimal('discount_amount') }} as discount_amount,
        {{ sum_decimal('minimum_amount') }} as minimum_amount,
        {{ sum_decimal('credits_applied_amount') }} as credits_applied_amount,
        {{ sum_decimal('tax_amount') }} as tax_amount,
    from {{ ref('fct_invoice_lines') }}
    group by invoice_id

),

attempts as (

    select
        invoice_id,
        {{ sum_decimal('amount') }} as amount_paid,
    from {{ ref('stg_orb__invoice_payment_attempts') }}
    where is_succeeded
    group by invoice_id

),

stripe_invoices as (

    -- the copy that stands; of several, the first
    select
        invoice_id,
        stripe_invoice_id,
    from {{ ref('fct_stripe_invoices') }}
    where invoice_id is not null
    qualify row_number() over (
        partition by invoice_id
        order by case when status = 'void' then 1 else 0 end, created_at, stripe_invoice_id
    ) = 1

)

select
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.external_customer_id as customer_id,
    invoices.subscription_id as orb_subscription_id,
    stripe_invoices.stripe_invoice_id,
    invoices.status,
    invoices.invoice_source,
    invoices.currency,
    invoices.subtotal_amount,
    coalesce(lines.discount_amount, {{ decimal_literal('0') }}) as discount_amount,
    coalesce(lines.minimum_amount, {{ decimal_literal('0') }}) as minimum_amount,
    coalesce(lines.credits_applied_amount, {{ decimal_literal('0') }}) as credits_applied_amount,
    coalesce(lines.tax_amount, {{ decimal_literal('0') }}) as tax_amount,
    invoices.total_amount,
    invoices.amount_due,
    case
        when attempts.amount_paid is not null then attempts.amount_paid
        when invoices.status = 'paid' then invoices.amount_due
        else {{ decimal_literal('0') }}
    end as amount_paid,
    coalesce(customers.is_internal, false) as is_internal,
    {{ date_of('invoices.invoiced_at') }} as invoice_date,
    {{ date_of('invoices.due_at') }} as due_date,
    cast(coalesce(invoices.scheduled_issue_at, invoices.eligible_to_issue_at) as timestamp) as to_issue_at,
    cast(invoices.issued_at as timestamp) as issued_at,
    cast(invoices.paid_at as timestamp) as paid_at,
    cast(invoices.voided_at as timestamp) as voided_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_orb__invoices') }} as invoices
left join lines on invoices.invoice_id = lines.invoice_id
left join attempts on invoices.invoice_id = attempts.invoice_id
left join stripe_invoices on invoices.invoice_id = stripe_invoices.invoice_id
left join {{ ref('dim_customers') }} as customers on invoices.external_customer_id = customers.customer_id
where not invoices.is_deleted
