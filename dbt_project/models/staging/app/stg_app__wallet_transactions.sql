{{ config(materialized='view') }}

with source as (

    select * from {{ source('raw_app', 'wallet_transactions') }}

),

newest as (

    {{ newest_row('source', 'id', 'occurred_at') }}

),

renamed as (

    select
        id as wallet_transaction_id,
        customer_id,
        stripe_payment_intent_id as payment_intent_id,
        kind,
        upper(currency) as currency,
        {{ to_decimal('amount') }} as amount,
        occurred_at,
        recorded_at,
        batch_id,
        read_at,
    from newest

)

select * from renamed
