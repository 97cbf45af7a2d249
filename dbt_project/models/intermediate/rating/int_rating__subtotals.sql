{{ config(materialized='table') }}

{%- set models = [
    ('unit', ['unit']),
    ('package', ['package', 'package_with_allocation']),
    ('tiered', ['tiered']),
    ('tiered_package', ['tiered_package']),
    ('bulk', ['bulk']),
    ('matrix', ['matrix']),
    ('threshold_total_amount', ['threshold_total_amount']),
] -%}
{%- set amounts = ['amount', 'other_mode_amount', 'tier_below_amount', 'tier_above_amount'] -%}
{%- set attempts = [
    'agreed', 'without_usage_discount', 'usage_discount_twice', 'lapsed_usage_discount', 'without_allowance', 'orb_price', 'billed_quantity',
] -%}
with rated as (

    {% for model, price_models in models -%}
    {% set stepped = model in ('tiered', 'bulk') -%}
    {% set mode = 'bulk' if model == 'tiered' else 'tiered' -%}
    select
        attempts.charge_id,
        attempts.attempt,
        attempts.price_key,
        {#- a quantity of nothing reaches no step and has no split -#}
        case when attempts.quantity = 0 then coalesce(rated.amount, 0) else rated.amount end as amount,
        {{ 'other_mode.amount' if stepped else 'cast(null as ' ~ big_decimal_type() ~ ')' }} as other_mode_amount,
        {{ 'rated.tier_below_amount' if stepped else 'cast(null as ' ~ big_decimal_type() ~ ')' }} as tier_below_amount,
        {{ 'rated.tier_above_amount' if stepped else 'cast(null as ' ~ big_decimal_type() ~ ')' }} as tier_above_amount,
    from {{ ref('int_rating__attempts') }} as attempts
    left join {{ ref('int_rating__' ~ model) }} as rated on attempts.attempt_id = rated.attempt_id
    {% if stepped %}left join {{ ref('int_rating__' ~ mode) }} as other_mode on attempts.attempt_id = other_mode.attempt_id{% endif %}
    where attempts.price_model in ('{{ price_models | join("', '") }}')
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

prorated as (

    select
        rated.*,
        case when prices.is_prorated then charges.days_billed else 1 end as days,
        case when prices.is_prorated then charges.days_of_cycle else 1 end as parts,
    from rated
    inner join {{ ref('int_rating__charges') }} as charges on rated.charge_id = charges.charge_id
    inner join {{ ref('int_rating__prices') }} as prices on rated.price_key = prices.price_key

),

multiplied as (

    select
        charge_id,
        attempt,
        parts,
        {% for amount in amounts -%}
        {{ big_multiply(amount, 'days') }} as {{ amount }},
        {% endfor -%}
    from prorated

),

divided as (

    select
        charge_id,
        attempt,
        {% for amount in amounts -%}
        case when parts = 1 then {{ amount }} else {{ big_divide(amount, 'parts') }} end as {{ amount }},
        {% endfor -%}
    from multiplied

)

select
    charge_id,
    {% for attempt in attempts -%}
    max(case when attempt = '{{ attempt }}' then amount end) as {{ attempt }}_amount,
    {% endfor -%}
    {% for amount in amounts[1:] -%}
    max(case when attempt = 'agreed' then {{ amount }} end) as {{ amount }},
    {% endfor -%}
from divided
group by charge_id
