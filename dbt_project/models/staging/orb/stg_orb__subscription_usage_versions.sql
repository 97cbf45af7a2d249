{{ config(materialized='view') }}

with source as (

    select * from {{ source('raw_orb', 'subscription_usage') }}
    {{ known_at_as_of() }}

),

fields as (

    {{ json_fields('source', {
        'subscription_id': '$.subscription_id',
        'billable_metric_id': '$.billable_metric.id',
        'metric_name': '$.billable_metric.name',
        'quantity': '$.usage.quantity',
        'timeframe_start_at': '$.usage.timeframe_start',
    }) }}

),

renamed as (

    select
        {{ surrogate_key(['object_id', 'batch_id']) }} as subscription_usage_version_id,
        object_id as subscription_usage_id,
        subscription_id,
        billable_metric_id,
        metric_name,
        {{ to_big_decimal('quantity') }} as quantity,
        {{ date_of(timestamp_from_iso('timeframe_start_at')) }} as usage_date,
        batch_id,
        read_at,
    from fields

)

select * from renamed
