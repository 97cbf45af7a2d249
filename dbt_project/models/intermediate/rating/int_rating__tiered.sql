{#- bulk prices too, for a tier mode that was mixed up is found by rating in the other mode -#}
with reached as (

    select
        attempts.attempt_id,
        case when steps.up_to < attempts.quantity then steps.up_to else attempts.quantity end - steps.above as quantity,
        steps.amount,
        coalesce(steps.up_to >= attempts.quantity, true) as is_top,
        steps.amount_below,
        steps.amount_above,
    from {{ ref('int_rating__attempts') }} as attempts
    inner join {{ ref('int_rating__price_steps') }} as steps on attempts.price_key = steps.price_key
    where attempts.price_model in ('tiered', 'bulk') and steps.above < attempts.quantity

)

select
    attempt_id,
    {{ sum_big_decimal(big_multiply('quantity', 'amount')) }} as amount,
    {{ sum_big_decimal(big_multiply('quantity', 'case when is_top then coalesce(amount_below, amount) else amount end')) }} as tier_below_amount,
    {{ sum_big_decimal(big_multiply('quantity', 'case when is_top then coalesce(amount_above, amount) else amount end')) }} as tier_above_amount,
from reached
group by attempt_id
