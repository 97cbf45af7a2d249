{{ config(materialized='table') }}

{#- what is rated, and what else is tried in case it does not give Orb's amount: name, price, quantity, condition -#}
{%- set discounted = 'metered_quantity - usage_discount' -%}
{%- set attempts = [
    ('agreed', 'price_key', discounted, 'true'),
    ('without_usage_discount', 'price_key', 'metered_quantity', 'usage_discount > 0'),
    ('usage_discount_twice', 'price_key', 'metered_quantity - 2 * usage_discount', 'usage_discount > 0'),
    ('lapsed_usage_discount', 'price_key', 'metered_quantity - usage_discount - lapsed_usage_discount', 'lapsed_usage_discount > 0'),
    ('without_allowance', 'price_key', discounted ~ ' + allocation', 'allocation > 0'),
    ('orb_price', 'orb_price_key', discounted, 'orb_price_key <> price_key'),
    ('billed_quantity', 'price_key', 'billed_quantity - usage_discount', 'billed_quantity <> metered_quantity'),
] -%}
with charges as (

    select
        charges.charge_id,
        charges.price_key,
        charges.orb_price_key,
        charges.metered_quantity,
        charges.billed_quantity,
        coalesce(terms.usage_discount, 0) as usage_discount,
        coalesce(terms.lapsed_usage_discount, 0) as lapsed_usage_discount,
        coalesce(prices.allocation, 0) as allocation,
    from {{ ref('int_rating__charges') }} as charges
    inner join {{ ref('int_rating__prices') }} as prices on charges.price_key = prices.price_key
    left join {{ ref('int_rating__charge_terms') }} as terms on charges.charge_id = terms.charge_id
    where charges.line_kind in ('usage', 'fixed_fee')

),

attempts as (

    {% for attempt, price_key, quantity, condition in attempts -%}
    select
        charge_id,
        '{{ attempt }}' as attempt,
        {{ price_key }} as price_key,
        case when {{ quantity }} > 0 then {{ to_big_decimal(quantity) }} else {{ to_big_decimal('0') }} end as quantity,
    from charges
    where {{ condition }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    concat(attempts.charge_id, '/', attempts.attempt) as attempt_id,
    attempts.charge_id,
    attempts.attempt,
    attempts.price_key,
    prices.price_model,
    attempts.quantity,
from attempts
inner join {{ ref('int_rating__prices') }} as prices on attempts.price_key = prices.price_key
