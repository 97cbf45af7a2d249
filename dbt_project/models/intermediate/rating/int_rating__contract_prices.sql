with agreed as (

    select
        contracts.customer_id,
        product_id,
        contracts.contract_id as price_ref,
        contracts.currency,
        {{ json_member('contracts.price_overrides', 'product_id') }} as agreement,
        contracts.start_date as valid_from,
        {{ add_to_date('day', 1, 'contracts.end_date') }} as valid_to,
    from {{ ref('stg_app__contracts') }} as contracts
    {{ unnest_json_keys('contracts.price_overrides', 'product_id') }}
    where not contracts.is_deleted

),

prices as (

    select
        customer_id,
        product_id,
        price_ref,
        {{ json_text('agreement', '$.orb_price_id') }} as orb_price_id,
        {{ json_text('agreement', '$.price_model') }} as price_model,
        {{ json_document('agreement', '$.config') }} as price_config,
        currency,
        coalesce({{ json_text('agreement', '$.billing_mode') }} = 'in_advance', false) as is_in_advance,
        coalesce({{ to_integer(json_text('agreement', '$.billing_cycle_months')) }}, 1) as cycle_months,
        true as is_agreed,
        valid_from,
        valid_to,
    from agreed
    union all
    -- a product without a metric is a fee, and a fee is owed only where a contract says so
    select
        customers.customer_id,
        listed.product_code as product_id,
        listed.price_book_id as price_ref,
        listed.orb_price_id,
        listed.price_model,
        listed.price_config,
        listed.currency,
        false as is_in_advance,
        1 as cycle_months,
        false as is_agreed,
        listed.effective_from as valid_from,
        listed.effective_to as valid_to,
    from {{ ref('stg_app__price_book') }} as listed
    inner join {{ ref('stg_app__customers') }} as customers on listed.currency = customers.currency
    where not listed.is_deleted and listed.metric_code is not null

)

select
    customer_id,
    product_id,
    price_ref,
    orb_price_id,
    {{ rating_price_key('price_model', 'price_config') }} as price_key,
    price_model,
    price_config,
    currency,
    is_in_advance,
    cycle_months,
    is_agreed,
    valid_from,
    valid_to,
from prices
