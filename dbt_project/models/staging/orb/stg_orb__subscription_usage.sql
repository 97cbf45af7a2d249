with source as (

    select * from {{ source('raw_orb', 'subscription_usage') }}

),

fields as (

    {{ json_fields('source', {
        'subscription_id': '$.subscription_id',
        'billable_metric_id': '$.billable_metric.id',
        'metric_name': '$.billable_metric.name',
        'quantity': '$.usage.quantity',
        'timeframe_start_at': '$.usage.timeframe_start',
        'timeframe_end_at': '$.usage.timeframe_end',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as subscription_usage_id,
        subscription_id,
        billable_metric_id,
        metric_name,
        {{ to_big_decimal('quantity') }} as quantity,
        is_deleted,
        {{ date_of(timestamp_from_iso('timeframe_start_at')) }} as usage_date,
        {{ timestamp_from_iso('timeframe_start_at') }} as timeframe_start_at,
        {{ timestamp_from_iso('timeframe_end_at') }} as timeframe_end_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
