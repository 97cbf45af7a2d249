select
    products.product_id,
    items.orb_item_id,
    metrics.object_id as orb_metric_id,
    items.stripe_product_id,
    products.product_name,
    products.metric,
    products.unit,
from (
    select
        payload ->> '$.product_code' as product_id,
        payload ->> '$.product_name' as product_name,
        payload ->> '$.metric_code' as metric,
        payload ->> '$.unit' as unit,
    from newest('raw_app.price_book')
    where not is_gone
    qualify row_number() over (
        partition by payload ->> '$.product_code'
        order by (payload ->> '$.effective_from')::date desc, instant(payload ->> '$.updated_at') desc, object_id
    ) = 1
) as products
left join (
    select
        payload ->> '$.metadata.product_code' as product_id,
        object_id as orb_item_id,
        list_filter(
            json_extract(payload, '$.external_connections[*]'), lambda each: (each ->> '$.external_connection_name') = 'stripe'
        )[1] ->> '$.external_entity_id' as stripe_product_id,
    from newest('raw_orb.items')
    qualify row_number() over (
        partition by payload ->> '$.metadata.product_code'
        order by instant(payload ->> '$.archived_at') desc nulls first, instant(payload ->> '$.created_at'), object_id
    ) = 1
) as items on products.product_id = items.product_id
left join (
    select object_id, payload ->> '$.metadata.metric_code' as metric
    from newest('raw_orb.metrics')
    qualify row_number() over (partition by payload ->> '$.metadata.metric_code' order by is_gone, object_id) = 1
) as metrics on products.metric = metrics.metric
