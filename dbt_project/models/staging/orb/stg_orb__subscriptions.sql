with source as (

    select * from {{ source('raw_orb', 'subscriptions') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer.id',
        'external_customer_id': '$.customer.external_customer_id',
        'plan_id': '$.plan.id',
        'external_plan_id': '$.plan.external_plan_id',
        'contract_id': '$.metadata.contract_id',
        'subscription_name': '$.name',
        'status': '$.status',
        'currency': '$.plan.invoicing_currency',
        'net_terms_days': '$.net_terms',
        'billing_cycle_day': '$.billing_cycle_day',
        'is_auto_collection': '$.auto_collection',
        'created_at': '$.created_at',
        'started_at': '$.start_date',
        'ended_at': '$.end_date',
        'current_period_start_at': '$.current_billing_period_start_date',
        'current_period_end_at': '$.current_billing_period_end_date',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as subscription_id,
        customer_id,
        external_customer_id,
        plan_id,
        external_plan_id,
        contract_id,
        subscription_name,
        status,
        upper(currency) as currency,
        {{ json_document('payload', '$.price_intervals') }} as price_intervals,
        {{ json_document('payload', '$.adjustment_intervals') }} as adjustment_intervals,
        {{ to_integer('net_terms_days') }} as net_terms_days,
        {{ to_integer('billing_cycle_day') }} as billing_cycle_day,
        {{ to_boolean('is_auto_collection') }} as is_auto_collection,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('started_at') }} as started_at,
        {{ timestamp_from_iso('ended_at') }} as ended_at,
        {{ timestamp_from_iso('current_period_start_at') }} as current_period_start_at,
        {{ timestamp_from_iso('current_period_end_at') }} as current_period_end_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
