select
    refund_id,
    credit_note_id as stripe_credit_note_id,
    amount_refunded as amount,
from {{ ref('stg_stripe__credit_note_refunds') }}
where not is_deleted
union all
-- before API version 2025-03-31 a credit note names its one refund itself
select
    refund_id,
    credit_note_id as stripe_credit_note_id,
    post_payment_amount as amount,
from {{ ref('stg_stripe__credit_notes') }}
where not is_deleted and refund_id is not null and refund_count = 0
