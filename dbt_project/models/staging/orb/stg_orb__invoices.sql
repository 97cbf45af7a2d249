with source as (

    select * from {{ source('raw_orb', 'invoices') }}

),

fields as (

    {{ json_fields('source', {
        'invoice_number': '$.invoice_number',
        'customer_id': '$.customer.id',
        'external_customer_id': '$.customer.external_customer_id',
        'subscription_id': '$.subscription.id',
        'status': '$.status',
        'invoice_source': '$.invoice_source',
        'currency': '$.currency',
        'memo': '$.memo',
        'subtotal_amount': '$.subtotal',
        'total_amount': '$.total',
        'amount_due': '$.amount_due',
        'minimum_amount': '$.minimum.minimum_amount',
        'will_auto_issue': '$.will_auto_issue',
        'created_at': '$.created_at',
        'invoiced_at': '$.invoice_date',
        'due_at': '$.due_date',
        'eligible_to_issue_at': '$.eligible_to_issue_at',
        'scheduled_issue_at': '$.scheduled_issue_at',
        'issued_at': '$.issued_at',
        'issue_failed_at': '$.issue_failed_at',
        'sync_failed_at': '$.sync_failed_at',
        'payment_started_at': '$.payment_started_at',
        'payment_failed_at': '$.payment_failed_at',
        'paid_at': '$.paid_at',
        'voided_at': '$.voided_at',
    }) }}

),

newest as (

    {{ newest_version('fields') }}

),

renamed as (

    select
        object_id as invoice_id,
        invoice_number,
        customer_id,
        external_customer_id,
        subscription_id,
        status,
        invoice_source,
        upper(currency) as currency,
        memo,
        {{ to_decimal('subtotal_amount') }} as subtotal_amount,
        {{ to_decimal('total_amount') }} as total_amount,
        {{ to_decimal('amount_due') }} as amount_due,
        {{ to_decimal('minimum_amount') }} as minimum_amount,
        {{ json_document('payload', '$.credit_notes') }} as credit_notes,
        {{ json_array_length('payload', '$.customer_balance_transactions') }} > 0 as is_settled_by_balance,
        {{ to_boolean('will_auto_issue') }} as will_auto_issue,
        is_deleted,
        {{ timestamp_from_iso('created_at') }} as created_at,
        {{ timestamp_from_iso('invoiced_at') }} as invoiced_at,
        {{ timestamp_from_iso('due_at') }} as due_at,
        {{ timestamp_from_iso('eligible_to_issue_at') }} as eligible_to_issue_at,
        {{ timestamp_from_iso('scheduled_issue_at') }} as scheduled_issue_at,
        {{ timestamp_from_iso('issued_at') }} as issued_at,
        {{ timestamp_from_iso('issue_failed_at') }} as issue_failed_at,
        {{ timestamp_from_iso('sync_failed_at') }} as sync_failed_at,
        {{ timestamp_from_iso('payment_started_at') }} as payment_started_at,
        {{ timestamp_from_iso('payment_failed_at') }} as payment_failed_at,
        {{ timestamp_from_iso('paid_at') }} as paid_at,
        {{ timestamp_from_iso('voided_at') }} as voided_at,
        payload_hash,
        batch_id,
        read_at,
    from newest

)

select * from renamed
