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
{#- by the month and when the month is over is how a price is billed unless something else is agreed -#}
{%- set flags = [
    ('prorated', 'case when ' ~ to_boolean(json_text('price_config', '$.prorated')) ~ ' then 1 end'),
    ('in_advance', 'case when is_in_advance then 1 end'),
    ('cycle_months', 'case when cycle_months <> 1 then cycle_months end'),
] -%}
with sold as (

    select
        product_id,
        currency,
        min(valid_from) as first_sold_on,
    from {{ ref('int_rating__contract_prices') }}
    where is_agreed
    group by product_id, currency

),

agreed as (

    -- each once; the key stands for the configuration, for JSON can't be compared
    select
        price_ref as owner,
        concat(price_ref, '/', product_id) as price_ref,
        price_ref as contract_id,
        product_id,
        orb_price_id,
        price_model,
        price_config,
        is_in_advance,
        cycle_months,
        cast(null as string) as metric,
        false as is_sold_before,
        currency,
    from {{ ref('int_rating__contract_prices') }} as prices
    where is_agreed
    qualify row_number() over (
        partition by prices.price_ref, product_id, orb_price_id, price_model, price_key, currency
        order by valid_from
    ) = 1
    union all
    select
        listed.price_book_id as owner,
        listed.price_book_id as price_ref,
        cast(null as string) as contract_id,
        listed.product_code as product_id,
        listed.orb_price_id,
        listed.price_model,
        listed.price_config,
        false as is_in_advance,
        1 as cycle_months,
        listed.metric_code as metric,
        coalesce(
            listed.effective_from = min(listed.effective_from) over (partition by listed.product_code, listed.currency)
            and listed.effective_from > sold.first_sold_on,
            false
        ) as is_sold_before,
        listed.currency,
    from {{ ref('stg_app__price_book') }} as listed
    left join sold on listed.product_code = sold.product_id and listed.currency = sold.currency
    where not listed.is_deleted

),

orb_prices as (

    select
        prices.price_id,
        prices.model_type,
        prices.price_config,
        prices.billing_mode = 'in_advance' as is_in_advance,
        prices.billing_cycle_months as cycle_months,
        prices.currency,
        items.product_code as product_id,
        metrics.metric_code as metric,
        agreed.orb_price_id is not null as is_named,
    from {{ ref('stg_orb__prices') }} as prices
    left join {{ ref('stg_orb__items') }} as items on prices.item_id = items.item_id
    left join {{ ref('stg_orb__metrics') }} as metrics on prices.billable_metric_id = metrics.metric_id
    left join (select distinct orb_price_id from agreed) as agreed on prices.price_id = agreed.orb_price_id
    where not prices.is_deleted

),

subscribed as (

    select distinct
        subscriptions.contract_id,
        {{ json_text('subscribed_price', '$.price.id') }} as price_id,
    from {{ ref('stg_orb__subscriptions') }} as subscriptions
    {{ unnest_json_array('subscriptions.price_intervals', '$', 'subscribed_price', 'price_offset') }}
    where subscriptions.contract_id is not null and not subscriptions.is_deleted

),

candidates as (

    -- a contract's price is one of its subscription, a price book's one that bears the product and the currency; the named one if it can be
    select
        agreed.price_ref,
        found.price_id,
    from agreed
    inner join orb_prices as found on agreed.product_id = found.product_id and agreed.currency = found.currency
    left join subscribed on agreed.contract_id = subscribed.contract_id and found.price_id = subscribed.price_id
    where
        case
            when agreed.contract_id is not null then subscribed.price_id is not null
            else found.price_id = agreed.orb_price_id or not found.is_named
        end
        -- what a minimum is billed under costs nothing itself
        and coalesce({{ to_decimal(json_text('found.price_config', '$.unit_amount')) }} <> 0, true)
    qualify row_number() over (
        partition by agreed.price_ref
        order by case when found.price_id = agreed.orb_price_id then 0 else 1 end, found.price_id
    ) = 1

),

prices as (

    select
        'product' as source,
        agreed.owner,
        agreed.price_ref,
        case when agreed.orb_price_id is not null then coalesce(candidates.price_id, agreed.orb_price_id) end as orb_price_id,
        agreed.orb_price_id as named_orb_price_id,
        agreed.price_model,
        agreed.price_config,
        agreed.is_in_advance,
        agreed.cycle_months,
        agreed.metric,
        agreed.is_sold_before,
        agreed.currency,
    from agreed
    left join candidates on agreed.price_ref = candidates.price_ref
    union all
    select
        'orb' as source,
        price_id as owner,
        price_id as price_ref,
        price_id as orb_price_id,
        price_id as named_orb_price_id,
        model_type as price_model,
        price_config,
        is_in_advance,
        cycle_months,
        metric,
        false as is_sold_before,
        currency,
    from orb_prices

),

adjustments as (

    select
        subscriptions.subscription_id,
        subscriptions.currency,
        {{ json_text('adjustment', '$.adjustment.adjustment_type') }} as adjustment_type,
        {{ json_text('adjustment', '$.adjustment.applies_to_price_ids[0]') }} as first_price_id,
        {{ to_date("substr(" ~ json_text('adjustment', '$.start_date') ~ ", 1, 10)") }} as valid_from,
        {{ to_date("substr(" ~ json_text('adjustment', '$.end_date') ~ ", 1, 10)") }} as valid_to,
        coalesce(
            {% for value in ['usage_discount', 'amount_discount', 'minimum_amount', 'maximum_amount'] -%}
            {{ to_decimal(json_text('adjustment', '$.adjustment.' ~ value)) }},
            {% endfor -%}
            {{ multiply(to_decimal(json_text('adjustment', '$.adjustment.percentage_discount')), decimal_literal('100')) }}
        ) as amount,
    from {{ ref('stg_orb__subscriptions') }} as subscriptions
    {{ unnest_json_array('subscriptions.adjustment_intervals', '$', 'adjustment', 'adjustment_offset') }}
    where not subscriptions.is_deleted

),

terms as (

    select
        'product' as source,
        terms.contract_id as owner,
        contracts.orb_subscription_id,
        terms.currency,
        terms.adjustment_type,
        terms.product_id,
        terms.valid_from,
        terms.valid_to,
        {{ to_decimal('terms.adjustment_value') }} as amount,
    from {{ ref('int_rating__contract_terms') }} as terms
    inner join {{ ref('stg_app__contracts') }} as contracts on terms.contract_id = contracts.contract_id
    where contracts.orb_subscription_id is not null
    union all
    select
        'orb' as source,
        adjustments.subscription_id as owner,
        adjustments.subscription_id as orb_subscription_id,
        adjustments.currency,
        adjustments.adjustment_type,
        case when adjustments.adjustment_type not in ('minimum', 'percentage_discount') then items.product_code end as product_id,
        adjustments.valid_from,
        adjustments.valid_to,
        adjustments.amount,
    from adjustments
    left join {{ ref('stg_orb__prices') }} as prices on adjustments.first_price_id = prices.price_id
    left join {{ ref('stg_orb__items') }} as items on prices.item_id = items.item_id

),

figures as (

    select
        source,
        owner,
        owner as price_ref,
        orb_subscription_id as orb_price_id,
        cast(null as string) as named_orb_price_id,
        cast(null as string) as price_model,
        cast(null as string) as metric,
        false as is_sold_before,
        currency,
        concat(
            adjustment_type,
            coalesce(' of ' || product_id, ''),
            ' from ', {{ iso_date('valid_from') }},
            coalesce(' to ' || {{ iso_date('valid_to') }}, '')
        ) as figure,
        amount,
    from terms
    union all
    {% for parameter in parameters -%}
    select
        source,
        owner,
        price_ref,
        orb_price_id,
        named_orb_price_id,
        price_model,
        metric,
        is_sold_before,
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
        named_orb_price_id,
        price_model,
        metric,
        is_sold_before,
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
    {% for figure, amount in flags -%}
    select
        source,
        owner,
        price_ref,
        orb_price_id,
        named_orb_price_id,
        price_model,
        metric,
        is_sold_before,
        currency,
        '{{ figure }}' as figure,
        {{ to_decimal(amount) }} as amount,
    from prices
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    source,
    owner,
    price_ref,
    orb_price_id,
    named_orb_price_id,
    price_model,
    metric,
    is_sold_before,
    currency,
    figure,
    amount,
    row_number() over (partition by source, price_ref order by figure) as figure_no,
from figures
where amount <> 0
