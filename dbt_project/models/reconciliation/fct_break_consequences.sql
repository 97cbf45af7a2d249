{#- what a break changes further down, step by step: usage -> invoice line -> invoice or credits -> Stripe invoice -> payment -#}
with open_breaks as (

    select * from {{ ref('rec_matches') }}
    where status in ('timing', 'break')

),

metered as (

    select
        break_id,
        cause,
        customer_id,
        currency as metric,
        cast(substr(match_key, length(customer_id) + length(currency) + 3, 10) as date) as usage_date,
        coalesce({{ json_text('evidence', '$.orb_customer_id') }}, customer_id) as orb_customer_id,
        {{ json_text('evidence', '$.orb_usage_date') }} as orb_usage_date,
        left_amount,
        right_amount,
    from open_breaks
    where comparison = 'metered__app_vs_orb'

),

metered_effects as (

    -- a use that is counted elsewhere is missing on one line and too much on another
    select
        break_id,
        customer_id,
        metric,
        usage_date,
        case
            when cause in ('event_wrong_customer', 'period_shifted') then -left_amount
            else right_amount - left_amount
        end as quantity,
    from metered
    union all
    select
        break_id,
        orb_customer_id as customer_id,
        metric,
        cast(orb_usage_date as date) as usage_date,
        right_amount as quantity,
    from metered
    where cause in ('event_wrong_customer', 'period_shifted')

),

lines as (

    select
        lines.*,
        products.metric,
        invoices.stripe_invoice_id,
        case when lines.amount <> 0 then {{ divide('lines.tax_amount', 'lines.amount') }} else {{ decimal_literal('0') }} end as tax_share,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    left join {{ ref('dim_products') }} as products on lines.product_id = products.product_id
    where invoices.status <> 'void'

),

line_effects as (

    -- a quantity is worth what the line's units cost on average
    select
        effects.break_id,
        lines.invoice_line_id,
        {{ round_to_minor_unit(divide(multiply('effects.quantity', 'lines.adjusted_amount'), 'lines.quantity'), 'lines.currency') }} as amount,
    from metered_effects as effects
    inner join lines
        on
            effects.customer_id = lines.customer_id
            and effects.metric = lines.metric
            and effects.usage_date >= lines.period_start
            and effects.usage_date < lines.period_end
    where lines.line_kind = 'usage' and lines.quantity <> 0
    union all
    select
        open_breaks.break_id,
        lines.invoice_line_id,
        {{ to_decimal('-open_breaks.difference') }} as amount,
    from open_breaks
    inner join lines on open_breaks.right_ref = lines.invoice_line_id

),

line_steps as (

    select
        line_effects.break_id,
        lines.invoice_line_id,
        lines.invoice_id,
        lines.stripe_invoice_id,
        lines.customer_id,
        lines.currency,
        line_effects.amount,
        lines.credits_applied_amount <> 0 and lines.amount = 0 as is_paid_by_credit,
        {{ round_to_minor_unit(multiply('line_effects.amount', '1 + lines.tax_share'), 'lines.currency') }} as amount_with_tax,
    from line_effects
    inner join lines on line_effects.invoice_line_id = lines.invoice_line_id
    where line_effects.amount <> 0

),

invoice_effects as (

    select
        break_id,
        invoice_id,
        stripe_invoice_id,
        customer_id,
        currency,
        {{ sum_decimal('amount_with_tax') }} as amount,
    from line_steps
    where not is_paid_by_credit
    group by break_id, invoice_id, stripe_invoice_id, customer_id, currency

),

stripe_effects as (

    select
        break_id,
        stripe_invoice_id,
        customer_id,
        currency,
        amount,
    from invoice_effects
    where stripe_invoice_id is not null
    union all
    -- what Stripe has too much or too little of an invoice it collects too much or too little
    select
        open_breaks.break_id,
        stripe.stripe_invoice_id,
        stripe.customer_id,
        stripe.currency,
        {{ to_decimal('-open_breaks.difference') }} as amount,
    from open_breaks
    inner join {{ ref('fct_stripe_invoices') }} as stripe on open_breaks.right_ref = stripe.stripe_invoice_id
    where open_breaks.hop = 'invoiced' and open_breaks.currency = open_breaks.right_currency and open_breaks.difference <> 0

),

payments as (

    -- of an invoice that was paid in parts, the last one carries the difference
    select
        stripe_invoice_id,
        payment_id,
    from {{ ref('fct_payments') }}
    where stripe_invoice_id is not null and paid_at is not null
    qualify row_number() over (partition by stripe_invoice_id order by created_at desc, payment_id desc) = 1

),

steps as (

    select
        break_id,
        1 as step_no,
        'rated' as hop,
        'invoice line' as object_kind,
        invoice_line_id as object_id,
        customer_id,
        currency,
        amount,
    from line_steps
    union all
    select
        break_id,
        2 as step_no,
        'credits' as hop,
        'credits applied' as object_kind,
        invoice_line_id as object_id,
        customer_id,
        currency,
        amount,
    from line_steps
    where is_paid_by_credit
    union all
    select
        break_id,
        2 as step_no,
        'invoiced' as hop,
        'Orb invoice' as object_kind,
        invoice_id as object_id,
        customer_id,
        currency,
        amount,
    from invoice_effects
    union all
    select
        break_id,
        3 as step_no,
        'invoiced' as hop,
        'Stripe invoice' as object_kind,
        stripe_invoice_id as object_id,
        customer_id,
        currency,
        amount,
    from stripe_effects
    union all
    select
        effects.break_id,
        4 as step_no,
        'collected' as hop,
        'payment' as object_kind,
        payments.payment_id as object_id,
        effects.customer_id,
        effects.currency,
        effects.amount,
    from stripe_effects as effects
    inner join payments on effects.stripe_invoice_id = payments.stripe_invoice_id
    union all
    -- an invoice that Stripe does not have is collected by nobody
    select
        open_breaks.break_id,
        4 as step_no,
        'collected' as hop,
        'not collected' as object_kind,
        open_breaks.left_ref as object_id,
        open_breaks.customer_id,
        open_breaks.currency,
        {{ to_decimal('-open_breaks.difference') }} as amount,
    from open_breaks
    where open_breaks.comparison = 'invoiced__orb_vs_stripe' and open_breaks.right_ref is null
    union all
    -- what another comparison says of it too
    select
        consequences.root_break_id as break_id,
        5 as step_no,
        named_again.hop,
        named_again.comparison as object_kind,
        named_again.match_key as object_id,
        named_again.customer_id,
        named_again.currency,
        {{ to_decimal('-named_again.difference') }} as amount,
    from {{ ref('rec_consequences') }} as consequences
    inner join {{ ref('rec_matches') }} as named_again on consequences.break_id = named_again.break_id

)

select
    {{ surrogate_key(['break_id', 'hop', 'object_kind', 'object_id']) }} as consequence_id,
    break_id,
    hop,
    object_kind,
    object_id,
    customer_id,
    currency,
    {{ to_integer('step_no') }} as step_no,
    {{ to_decimal('amount') }} as amount,
from steps
