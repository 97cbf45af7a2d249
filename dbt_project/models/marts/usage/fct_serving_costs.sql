{{ config(materialized='table', **layout('usage_date', cluster=['customer_id'])) }}

with costed as (

    -- the line of the model goes before the product's, and of two lines of a day the newer one
    select
        used.usage_daily_id,
        used.customer_id,
        used.product_id,
        used.model,
        card.serving_cost_id,
        used.unit,
        card.currency,
        used.quantity,
        {{ to_decimal(big_multiply('used.quantity', 'card.unit_cost')) }} as cost_amount,
        used.is_internal,
        used.usage_date,
    from {{ ref('fct_usage_daily') }} as used
    left join {{ ref('stg_app__serving_costs') }} as card
        on
            used.product_id = card.product_code
            and (used.model = card.model or card.model is null)
            and used.usage_date >= card.effective_from
            and used.usage_date < coalesce(card.effective_to, {{ date_literal('9999-12-31') }})
            and not card.is_deleted
    qualify row_number() over (
        partition by used.usage_daily_id
        order by case when card.model is null then 1 else 0 end asc, card.effective_from desc, card.serving_cost_id asc
    ) = 1

)

select
    costed.usage_daily_id,
    costed.customer_id,
    costed.product_id,
    costed.model,
    costed.serving_cost_id,
    costed.unit,
    costed.currency,
    {{ reporting_currency() }} as reporting_currency,
    costed.quantity,
    costed.cost_amount,
    {{ exchange_rate('costed.currency') }} as exchange_rate,
    {{ exchange_rate_source('costed.currency') }} as exchange_rate_source,
    {{ reporting_amount('costed.cost_amount', 'costed.currency') }} as reporting_cost_amount,
    costed.is_internal,
    costed.usage_date,
    {{ certified_through() }} as certified_through,
from costed
{{ join_exchange_rates('costed.currency', 'costed.usage_date') }}
