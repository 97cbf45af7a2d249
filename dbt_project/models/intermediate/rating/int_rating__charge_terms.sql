with terms as (

    select
        charges.charge_id,
        terms.adjustment_type,
        terms.adjustment_value,
        terms.valid_from <= charges.period_start and coalesce(charges.period_start < terms.valid_to, true) as is_in_force,
    from {{ ref('int_rating__charges') }} as charges
    inner join {{ ref('int_rating__contract_terms') }} as terms
        on
            charges.customer_id = terms.customer_id
            and coalesce(terms.product_id, charges.product_id) = charges.product_id
    where charges.line_kind = 'usage'

)

select
    charge_id,
    {% for adjustment_type in ['usage_discount', 'amount_discount', 'percentage_discount', 'maximum'] -%}
    max(case when adjustment_type = '{{ adjustment_type }}' and is_in_force then adjustment_value end) as {{ adjustment_type }},
    {% endfor -%}
    {% for adjustment_type in ['usage_discount', 'amount_discount'] -%}
    max(case when adjustment_type = '{{ adjustment_type }}' and not is_in_force then adjustment_value end) as lapsed_{{ adjustment_type }},
    {% endfor -%}
from terms
group by charge_id
