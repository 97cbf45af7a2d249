with packed as (

    select
        attempts.attempt_id,
        prices.package_amount,
        prices.package_size,
        case
            when attempts.quantity > coalesce(prices.allocation, 0) then attempts.quantity - coalesce(prices.allocation, 0)
            else 0
        end as quantity,
    from {{ ref('int_rating__attempts') }} as attempts
    inner join {{ ref('int_rating__prices') }} as prices on attempts.price_key = prices.price_key
    where attempts.price_model in ('package', 'package_with_allocation')

),

begun as (

    select
        attempt_id,
        package_amount,
        ceil({{ big_divide('quantity', 'package_size') }}) as packages,
    from packed

)

select
    attempt_id,
    {{ big_multiply('packages', 'package_amount') }} as amount,
from begun
