{#- tiered prices too, for a tier mode that was mixed up is found by rating in the other mode -#}
select
    attempts.attempt_id,
    {{ big_multiply('attempts.quantity', 'steps.amount') }} as amount,
    {{ big_multiply('attempts.quantity', 'coalesce(steps.amount_below, steps.amount)') }} as tier_below_amount,
    {{ big_multiply('attempts.quantity', 'coalesce(steps.amount_above, steps.amount)') }} as tier_above_amount,
from {{ ref('int_rating__attempts') }} as attempts
inner join {{ ref('int_rating__price_steps') }} as steps on attempts.price_key = steps.price_key
where
    attempts.price_model in ('tiered', 'bulk')
    and steps.above < attempts.quantity
    and coalesce(steps.up_to >= attempts.quantity, true)
