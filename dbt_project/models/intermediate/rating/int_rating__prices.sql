{{ config(materialized='table') }}

with prices as (

    select
        price_key,
        price_model,
        price_config,
    from {{ ref('int_rating__contract_prices') }}
    union all
    select
        price_key,
        price_model,
        price_config,
    from {{ ref('int_rating__orb_lines') }}

),

distinct_prices as (

    select *
    from prices
    where price_key is not null
    qualify row_number() over (partition by price_key order by price_model) = 1

),

fields as (

    {{ json_fields('distinct_prices', {
        'unit_amount': '$.unit_amount',
        'package_amount': '$.package_amount',
        'package_size': '$.package_size',
        'allocation': '$.allocation',
        'default_unit_amount': '$.default_unit_amount',
        'percent_share': '$.percent',
        'minimum_amount': '$.minimum_amount',
        'maximum_amount': '$.maximum_amount',
        'prorated': '$.prorated',
        'prorate': '$.prorate',
    }, document='price_config', keep=['price_key', 'price_model', 'price_config']) }}

)

select
    price_key,
    price_model,
    price_config,
    {% for parameter in [
        'unit_amount', 'package_amount', 'package_size', 'allocation', 'default_unit_amount', 'percent_share', 'minimum_amount', 'maximum_amount',
    ] -%}
    {{ to_big_decimal(parameter) }} as {{ parameter }},
    {% endfor -%}
    coalesce({{ to_boolean('coalesce(prorated, prorate)') }}, false) as is_prorated,
from fields
