select
    attempts.attempt_id,
    {{ big_multiply('attempts.quantity', 'prices.unit_amount') }} as amount,
from {{ ref('int_rating__attempts') }} as attempts
inner join {{ ref('int_rating__prices') }} as prices on attempts.price_key = prices.price_key
where attempts.price_model = 'unit'
