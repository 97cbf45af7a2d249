with payments as (

    select
        payment_intent_id,
        charge_id,
        invoice_id,
        created_at,
    from {{ ref('stg_stripe__invoice_payments') }}
    where not is_deleted and status <> 'canceled'
    union all
    -- before API version 2025-03-31 the invoice names its charge itself
    select
        payment_intent_id,
        charge_id,
        invoice_id,
        created_at,
    from {{ ref('stg_stripe__invoices') }}
    where payment_intent_id is not null or charge_id is not null

),

by_intent as (

    select
        payment_intent_id,
        invoice_id,
    from payments
    where payment_intent_id is not null
    qualify row_number() over (partition by payment_intent_id order by created_at, invoice_id) = 1

),

by_charge as (

    select
        charge_id,
        invoice_id,
    from payments
    where charge_id is not null
    qualify row_number() over (partition by charge_id order by created_at, invoice_id) = 1

)

select
    charges.charge_id,
    coalesce(charges.invoice_id, by_charge.invoice_id, by_intent.invoice_id) as stripe_invoice_id,
from {{ ref('stg_stripe__charges') }} as charges
left join by_charge on charges.charge_id = by_charge.charge_id
left join by_intent on charges.payment_intent_id = by_intent.payment_intent_id
where coalesce(charges.invoice_id, by_charge.invoice_id, by_intent.invoice_id) is not null
