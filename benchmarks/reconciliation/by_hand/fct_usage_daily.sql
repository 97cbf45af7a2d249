with used as (
    select
        customer_id,
        event_name,
        model,
        occurred_at::date as usage_date,
        sum(input_tokens)::decimal(38, 9) as input_tokens,
        sum(output_tokens)::decimal(38, 9) as output_tokens,
        count(*)::decimal(38, 9) as requests,
        sum(megapixels)::decimal(38, 9) as megapixels,
        sum(video_seconds)::decimal(38, 9) as video_seconds,
        sum(gpu_seconds)::decimal(38, 9) as gpu_seconds,
        count(*) as event_count,
        min(occurred_at)::timestamp as first_occurred_at,
        max(occurred_at)::timestamp as last_occurred_at,
    from newest_events()
    group by all
)

select
    key([customer_id, metric, model, strftime(usage_date, '%Y-%m-%d')]) as usage_daily_id,
    customer_id,
    products.product_id,
    model,
    metric,
    products.unit,
    quantity,
    event_count,
    internal.customer_id is not null as is_internal,
    usage_date,
    first_occurred_at,
    last_occurred_at,
from (unpivot used on input_tokens, output_tokens, requests, megapixels, video_seconds, gpu_seconds into name metric value quantity) as used
left join metered_products() as products using (event_name, metric)
left join internal_customers() as internal using (customer_id)
where metric in (select metric from metered_products() as of_event where of_event.event_name = used.event_name)
