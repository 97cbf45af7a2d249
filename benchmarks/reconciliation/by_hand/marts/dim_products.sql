select
    products.product_code as product_id,
    items.object_id as orb_item_id,
    metrics.object_id as orb_metric_id,
    [each.external_entity_id for each in items.external_connections if each.external_connection_name = 'stripe'][1] as stripe_product_id,
    products.product_name,
    products.metric_code as metric,
    products.unit,
from (
    select distinct on (product_code) *
    from objects('raw_app.price_book', '{
        "product_code": "varchar",
        "product_name": "varchar",
        "metric_code": "varchar",
        "unit": "varchar",
        "effective_from": "date",
        "updated_at": "timestamp"
    }')
    where not is_gone
    order by effective_from desc, updated_at desc, object_id
) as products
left join (
    select distinct on (metadata.product_code) *
    from objects('raw_orb.items', '{
        "metadata": {"product_code": "varchar"},
        "external_connections": [{"external_connection_name": "varchar", "external_entity_id": "varchar"}],
        "created_at": "timestamp",
        "archived_at": "timestamp"
    }')
    order by archived_at desc nulls first, created_at, object_id
) as items on products.product_code = items.metadata.product_code
left join (
    select distinct on (metadata.metric_code) *
    from objects('raw_orb.metrics', '{"metadata": {"metric_code": "varchar"}}')
    order by is_gone, object_id
) as metrics on products.metric_code = metrics.metadata.metric_code
