with products as (

    -- the price book has a row per price: the newest one names the product
    select
        product_code,
        product_name,
        metric_code,
        unit,
    from {{ ref('stg_app__price_book') }}
    where not is_deleted
    qualify row_number() over (partition by product_code order by effective_from desc, updated_at desc, price_book_id asc) = 1

),

items as (

    select
        product_code,
        item_id,
        stripe_product_id,
    from {{ ref('stg_orb__items') }}
    where product_code is not null
    qualify row_number() over (partition by product_code order by archived_at desc nulls first, created_at asc, item_id asc) = 1

),

metrics as (

    select
        metric_code,
        metric_id,
    from {{ ref('stg_orb__metrics') }}
    where metric_code is not null
    qualify row_number() over (partition by metric_code order by is_deleted, metric_id) = 1

)

select
    products.product_code as product_id,
    items.item_id as orb_item_id,
    metrics.metric_id as orb_metric_id,
    items.stripe_product_id,
    products.product_name,
    products.metric_code as metric,
    products.unit,
    {{ certified_through() }} as certified_through,
from products
left join items on products.product_code = items.product_code
left join metrics on products.metric_code = metrics.metric_code
