select
    disputes.dispute_id,
    disputes.charge_id as payment_id,
    payments.stripe_invoice_id,
    payments.customer_id,
    coalesce(payments.purpose, 'other') as purpose,
    disputes.status,
    disputes.reason,
    disputes.currency,
    disputes.amount,
    disputes.status not in ('warning_needs_response', 'warning_under_review', 'warning_closed', 'prevented') as is_withdrawn,
    cast(disputes.created_at as timestamp) as created_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__disputes') }} as disputes
left join {{ ref('fct_payments') }} as payments on disputes.charge_id = payments.payment_id
where disputes.is_livemode and not disputes.is_deleted
