{#- the three spellings of a step: what lies above its lower bound, exclusively, costs its amount -#}
{%- set models = [
    ('tiered', '$.tiers', 'first_unit', 'unit_amount'),
    ('tiered_package', '$.tiers', 'tier_lower_bound', 'per_unit'),
    ('threshold_total_amount', '$.consumption_table', 'threshold', 'total_amount'),
] -%}
with steps as (

    {% for price_model, path, lower_bound, amount in models -%}
    select
        prices.price_key,
        {{ to_big_decimal(json_text('step', '$.' ~ lower_bound)) }} as above,
        {{ to_big_decimal(json_text('step', '$.' ~ amount)) }} as amount,
    from {{ ref('int_rating__prices') }} as prices
    {{ unnest_json_array('prices.price_config', path, 'step', 'step_offset') }}
    where prices.price_model = '{{ price_model }}'
    union all
    {% endfor -%}
    -- a bulk tier says where it ends; it begins where the one before it ended
    select
        prices.price_key,
        coalesce(
            lag({{ to_big_decimal(json_text('step', '$.maximum_units')) }}) over (partition by prices.price_key order by step_offset),
            {{ to_big_decimal('0') }}
        ) as above,
        {{ to_big_decimal(json_text('step', '$.unit_amount')) }} as amount,
    from {{ ref('int_rating__prices') }} as prices
    {{ unnest_json_array('prices.price_config', '$.tiers', 'step', 'step_offset') }}
    where prices.price_model = 'bulk'

)

select
    price_key,
    {{ to_integer('row_number() over by_bound') }} as step_no,
    above,
    lead(above) over by_bound as up_to,
    amount,
    lag(amount) over by_bound as amount_below,
    lead(amount) over by_bound as amount_above,
from steps
window by_bound as (partition by price_key order by above)
