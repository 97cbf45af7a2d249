with payments as (

    select
        invoice_payment_id,
        invoice_id,
        payment_intent_id,
        charge_id,
        payment_type = 'payment_record' as is_outside_stripe,
        status,
        currency,
        amount_requested,
        coalesce(amount_paid, {{ decimal_literal('0') }}) as amount_paid,
        created_at,
    from {{ ref('stg_stripe__invoice_payments') }}
    where is_livemode and not is_deleted and status <> 'canceled'
    union all
    -- before API version 2025-03-31 the invoice names its one payment itself
    select
        invoice_id as invoice_payment_id,
        invoice_id,
        payment_intent_id,
        charge_id,
        false as is_outside_stripe,
        case when status = 'paid' then 'paid' else 'open' end as status,
        currency,
        amount_due as amount_requested,
        amount_paid,
        created_at,
    from {{ ref('stg_stripe__invoices') }}
    where is_livemode and not is_deleted and (payment_intent_id is not null or charge_id is not null)

)

select
    payments.invoice_payment_id,
    payments.invoice_id as stripe_invoice_id,
    payments.payment_intent_id,
    payments.charge_id,
    case when payments.status = 'open' and intents.status = 'processing' then 'pending' else payments.status end as status,
    payments.currency,
    payments.amount_requested,
    payments.amount_paid,
    payments.is_outside_stripe,
    payments.created_at,
from payments
left join {{ ref('stg_stripe__payment_intents') }} as intents on payments.payment_intent_id = intents.payment_intent_id
