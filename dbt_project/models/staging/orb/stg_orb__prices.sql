with source as (

    select * from {{ source('raw_orb', 'prices') }}

),

fields as (

    {{ json_fields('source', {
        'external_price_id': '$.external_price_id',
        'item_id': '$.item.id',
        'billable_metric_id': '$.billable_metric.id',
        'price_name': '$.name',
        'model_type': '$.model_type',
        'price_type': '$.price_type',
        'cadence': '$.cadence',
        'billing_mode': '$.billing_mode',
        'billing_cycle_duration': '$.billing_cycle_configuration.duration',
        'billing_cycle_unit': '$.billing_cycle_configuration.duration_unit',
        'currency': '$.currency',
        'fixed_price_quantity': '$.fixed_price_quantity',
        'minimum_amount': '$.minimum.minimum_amount',
        'maximum_amount': '$.maximum.maximum_amount',
        'created_at': '$.created_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as price_id,
        external_price_id,
        item_id,
        billable_metric_id,
        price_name,
        model_type,
        price_type,
        cadence,
        billing_mode,
        case when billing_cycle_unit = 'month' then {{ to_integer('billing_cycle_duration') }} end as billing_cycle_months,
        upper(currency) as currency,
        {{ orb_price_config('payload', '$') }} as price_config,
        {{ to_big_decimal('fixed_price_quantity') }} as fixed_price_quantity,
        {{ to_decimal('minimum_amount') }} as minimum_amount,
        {{ to_decimal('maximum_amount') }} as maximum_amount,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
