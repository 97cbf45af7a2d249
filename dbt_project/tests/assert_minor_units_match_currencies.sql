-- Minor units are written down twice: as data in the seed, and as a case expression that staging can use without a join.
select
    currency,
    exponent,
    stripe_exponent,
from {{ ref('currencies') }}
where {{ minor_unit('currency') }} <> case exponent
        when 0 then {{ minor_unit_literal('1') }}
        when 2 then {{ minor_unit_literal('0.01') }}
        when 3 then {{ minor_unit_literal('0.001') }}
        when 4 then {{ minor_unit_literal('0.0001') }}
    end
    or {{ minor_unit('currency', 'stripe') }} <> case stripe_exponent
        when 0 then {{ minor_unit_literal('1') }}
        when 2 then {{ minor_unit_literal('0.01') }}
        when 3 then {{ minor_unit_literal('0.001') }}
    end
