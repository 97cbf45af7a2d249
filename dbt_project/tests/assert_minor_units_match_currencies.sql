-- Minor units are written down twice: as data in the seed, and as a case expression that staging can use without a join.
select
    currency,
    exponent,
    stripe_exponent,
from {{ ref('currencies') }}
where
    {{ minor_unit('currency') }} <> {{ to_decimal("concat('1e-', cast(exponent as string))") }}
    or {{ minor_unit('currency', 'stripe') }} <> {{ to_decimal("concat('1e-', cast(stripe_exponent as string))") }}
