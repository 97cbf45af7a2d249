with notes as (
    select
        *,
        case
            when len(json_extract(payload, '$.refunds[*]')) > 0 then added(json_extract(payload, '$.refunds[*]'), '$.amount_refunded')
            when payload ->> '$.refund' is not null then (payload ->> '$.post_payment_amount')::decimal(38, 9)
            else 0
        end as refunded,
    from newest('raw_stripe.credit_notes')
    where payload ->> '$.livemode' = 'true' and not is_gone
)

select
    object_id as stripe_credit_note_id,
    payload ->> '$.metadata.orb_credit_note_id' as credit_note_id,
    payload ->> '$.number' as credit_note_number,
    payload ->> '$.invoice' as stripe_invoice_id,
    ids.customer_id,
    payload ->> '$.type' as credit_note_type,
    payload ->> '$.status' as status,
    payload ->> '$.reason' as reason,
    upper(payload ->> '$.currency') as currency,
    major(payload ->> '$.total', payload ->> '$.currency') as total_amount,
    major(payload ->> '$.pre_payment_amount', payload ->> '$.currency') as pre_payment_amount,
    major(payload ->> '$.post_payment_amount', payload ->> '$.currency') as post_payment_amount,
    major(refunded, payload ->> '$.currency')
    + coalesce(major(payload ->> '$.out_of_band_amount', payload ->> '$.currency'), 0) as returned_amount,
    seconds_at(payload ->> '$.created') as created_at,
    seconds_at(payload ->> '$.voided_at') as voided_at,
from notes
left join stripe_customers() as ids on payload ->> '$.customer' = ids.stripe_customer_id
