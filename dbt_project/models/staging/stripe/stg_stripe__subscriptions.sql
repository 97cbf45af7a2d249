with source as (

    select * from {{ source('raw_stripe', 'subscriptions') }}

),

fields as (

    {{ json_fields('source', {
        'customer_id': '$.customer',
        'latest_invoice_id': '$.latest_invoice',
        'status': '$.status',
        'collection_method': '$.collection_method',
        'currency': '$.currency',
        'days_until_due': '$.days_until_due',
        'is_cancel_at_period_end': '$.cancel_at_period_end',
        'is_livemode': '$.livemode',
        'created_at': '$.created',
        'started_at': '$.start_date',
        'current_period_start_at': '$.current_period_start',
        'item_period_start_at': '$.items.data[0].current_period_start',
        'current_period_end_at': '$.current_period_end',
        'item_period_end_at': '$.items.data[0].current_period_end',
        'trial_start_at': '$.trial_start',
        'trial_end_at': '$.trial_end',
        'cancel_at': '$.cancel_at',
        'canceled_at': '$.canceled_at',
        'ended_at': '$.ended_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as subscription_id,
        customer_id,
        latest_invoice_id,
        status,
        collection_method,
        upper(currency) as currency,
        {{ to_integer('days_until_due') }} as days_until_due,
        {{ to_boolean('is_cancel_at_period_end') }} as is_cancel_at_period_end,
        {{ to_boolean('is_livemode') }} as is_livemode,
        is_deleted,
        {{ timestamp_from_unix('created_at') }} as created_at,
        {{ timestamp_from_unix('started_at') }} as started_at,
        {{ timestamp_from_unix('coalesce(current_period_start_at, item_period_start_at)') }} as current_period_start_at,
        {{ timestamp_from_unix('coalesce(current_period_end_at, item_period_end_at)') }} as current_period_end_at,
        {{ timestamp_from_unix('trial_start_at') }} as trial_start_at,
        {{ timestamp_from_unix('trial_end_at') }} as trial_end_at,
        {{ timestamp_from_unix('cancel_at') }} as cancel_at,
        {{ timestamp_from_unix('canceled_at') }} as canceled_at,
        {{ timestamp_from_unix('ended_at') }} as ended_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
