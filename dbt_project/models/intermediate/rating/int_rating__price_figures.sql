{{ config(materialized='table') }}

{#- what a price is made of: single numbers, and lists whose elements have their bounds and amounts spelled in one of several ways -#}
{%- set parameters = [
    'unit_amount', 'package_amount', 'package_size', 'allocation', 'default_unit_amount', 'percent', 'minimum_amount', 'maximum_amount',
] -%}
{%- set lists = [
    ('$.tiers', 'above', ['first_unit', 'tier_lower_bound']),
    ('$.tiers', 'up_to', ['last_unit', 'maximum_units']),
    ('$.tiers', 'amount', ['unit_amount', 'per_unit']),
    ('$.consumption_table', 'above', ['threshold']),
    ('$.consumption_table', 'amount', ['total_amount']),
    ('$.matrix_values', 'amount', ['unit_amount']),
] -%}
with prices as (

    select distinct
        'product' as source,
        price_ref as owner,
        concat(price_ref, '/', product_id) as price_ref,
        orb_price_id,
        price_model,
        price_config,
        currency,
    from {{ ref('int_rating__contract_prices') }}
    where is_agreed
    union all
    select
        'product' as source,
        price_book_id as owner,
        price_book_id as price_ref,
        orb_price_id,
        price_model,
        price_config,
        currency,
    from {{ ref('stg_app__price_book') }}
    where not is_deleted
    union all
    select
        'orb' as source,
        price_id as owner,
        price_id as price_ref,
        price_id as orb_price_id,
        model_type as price_model,
        price_config,
        currency,
    from {{ ref('stg_orb__prices') }}
    where not is_deleted

),

figures as (

    {% for parameter in parameters -%}
    select
        source,
        owner,
        price_ref,
        orb_price_id,
        price_model,
        currency,
        '{{ parameter }}' as figure,
        {{ to_decimal(json_text('price_config', '$.' ~ parameter)) }} as amount,
    from prices
    union all
    {% endfor -%}
    {% for path, figure, spellings in lists -%}
    select
        source,
        owner,
        price_ref,
        orb_price_id,
        price_model,
        currency,
        concat('{{ path[2:] }} ', cast(step_offset + 1 as string), ' {{ figure }}') as figure,
        {% set spelled -%}
        coalesce({% for spelling in spellings %}{{ json_text('step', '$.' ~ spelling) }}, {% endfor %}cast(null as string))
        {%- endset -%}
        {{ to_decimal(spelled) }} as amount,
    from prices
    {{ unnest_json_array('prices.price_config', path, 'step', 'step_offset') }}
    union all
    {% endfor -%}
    select
        source,
        owner,
        price_ref,
        orb_price_id,
        price_model,
        currency,
        'prorated' as figure,
        {{ to_decimal("case when " ~ to_boolean(json_text('price_config', '$.prorated')) ~ " then 1 end") }} as amount,
    from prices

)

select
    source,
    owner,
    price_ref,
    orb_price_id,
    price_model,
    currency,
    figure,
    amount,
    row_number() over (partition by source, price_ref order by figure) as figure_no,
from figures
where amount <> 0
