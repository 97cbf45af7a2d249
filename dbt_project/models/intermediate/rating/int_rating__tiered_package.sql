with packed as (

    select
        attempts.attempt_id,
        attempts.price_key,
        prices.package_size,
        ceil({{ big_divide('attempts.quantity', 'prices.package_size') }}) as packages,
    from {{ ref('int_rating__attempts') }} as attempts
    inner join {{ ref('int_rating__prices') }} as prices on attempts.price_key = prices.price_key
    where attempts.price_model = 'tiered_package'

),

bounds as (

    -- bounds are in units and multiples of the package
    select
        packed.attempt_id,
        packed.packages,
        {{ big_divide('steps.above', 'packed.package_size') }} as above,
        {{ big_divide('steps.up_to', 'packed.package_size') }} as up_to,
        steps.amount,
    from packed
    inner join {{ ref('int_rating__price_steps') }} as steps on packed.price_key = steps.price_key

),

reached as (

    select
        attempt_id,
        case when up_to < packages then up_to else packages end - above as packages,
        amount,
    from bounds
    where above < packages

)

select
    attempt_id,
    {{ sum_big_decimal(big_multiply('packages', 'amount')) }} as amount,
from reached
group by attempt_id
