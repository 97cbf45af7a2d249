with refunded as (

    select
        stripe_credit_note_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_cash__credited_refunds') }}
    group by stripe_credit_note_id

)

select
    notes.credit_note_id as stripe_credit_note_id,
    notes.orb_credit_note_id as credit_note_id,
    notes.credit_note_number,
    notes.invoice_id as stripe_invoice_id,
    ids.customer_id,
    notes.credit_note_type,
    notes.status,
    notes.reason,
    notes.currency,
    notes.total_amount,
    notes.pre_payment_amount,
    notes.post_payment_amount,
    {{ to_decimal('coalesce(refunded.amount, 0) + coalesce(notes.out_of_band_amount, 0)') }} as returned_amount,
    cast(notes.created_at as timestamp) as created_at,
    cast(notes.voided_at as timestamp) as voided_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__credit_notes') }} as notes
left join refunded on notes.credit_note_id = refunded.stripe_credit_note_id
left join {{ ref('int_customers__stripe_ids') }} as ids on notes.customer_id = ids.stripe_customer_id
where notes.is_livemode and not notes.is_deleted
