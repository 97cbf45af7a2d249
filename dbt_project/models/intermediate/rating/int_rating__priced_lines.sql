{{ config(materialized='table') }}

with rated as (

    select
        charges.charge_id,
        charges.currency,
        {{ to_decimal('coalesce(subtotals.without_usage_discount_amount, subtotals.agreed_amount)') }} as exact_subtotal,
        {{ round_to_minor_unit('coalesce(subtotals.without_usage_discount_amount, subtotals.agreed_amount)', 'charges.currency') }} as subtotal_amount,
        {{ round_to_minor_unit('subtotals.agreed_amount', 'charges.currency') }} as discounted_amount,
        coalesce(terms.amount_discount, 0) as amount_discount,
        coalesce(terms.percentage_discount, 0) as percentage_discount,
        1 as percentage_times,
        terms.maximum as maximum_amount,
    from {{ ref('int_rating__subtotals') }} as subtotals
    inner join {{ ref('int_rating__charges') }} as charges on subtotals.charge_id = charges.charge_id
    left join {{ ref('int_rating__charge_terms') }} as terms on subtotals.charge_id = terms.charge_id

)

select
    charge_id,
    subtotal_amount,
    {{ to_decimal('subtotal_amount - discounted_amount') }} as usage_discount_amount,
    {{ to_decimal('discounted_amount - after_amount') }} as amount_discount_amount,
    {{ to_decimal('after_amount - after_percentages') }} as percentage_discount_amount,
    maximum_taken as maximum_amount,
    {{ to_decimal('amount') }} as amount,
from ({{ rating_adjusted('rated') }}) as adjusted
