with by_intent as (

    select
        payment_intent_id,
        stripe_invoice_id,
    from {{ ref('int_cash__invoice_payments') }}
    where payment_intent_id is not null
    qualify row_number() over (partition by payment_intent_id order by created_at, stripe_invoice_id) = 1

),

by_charge as (

    select
        charge_id,
        stripe_invoice_id,
    from {{ ref('int_cash__invoice_payments') }}
    where charge_id is not null
    qualify row_number() over (partition by charge_id order by created_at, stripe_invoice_id) = 1

)

select
    charges.charge_id,
    coalesce(charges.invoice_id, by_charge.stripe_invoice_id, by_intent.stripe_invoice_id) as stripe_invoice_id,
from {{ ref('stg_stripe__charges') }} as charges
left join by_charge on charges.charge_id = by_charge.charge_id
left join by_intent on charges.payment_intent_id = by_intent.payment_intent_id
where coalesce(charges.invoice_id, by_charge.stripe_invoice_id, by_intent.stripe_invoice_id) is not null
