select
    attempts.attempt_id,
    steps.amount,
from {{ ref('int_rating__attempts') }} as attempts
inner join {{ ref('int_rating__price_steps') }} as steps on attempts.price_key = steps.price_key
where
    attempts.price_model = 'threshold_total_amount'
    and steps.above < attempts.quantity
    and coalesce(steps.up_to >= attempts.quantity, true)
