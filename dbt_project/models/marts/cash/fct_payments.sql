with disputed as (

    -- a dispute that was won gave the money back
    select
        charge_id,
        {{ sum_decimal('amount') }} as amount_disputed,
    from {{ ref('stg_stripe__disputes') }}
    where status not in ('won', 'warning_closed', 'prevented')
    group by charge_id

),

collected_by_orb as (

    -- without an invoice in Stripe only Orb says what was paid
    select
        payment_provider_id,
        invoice_id,
    from {{ ref('stg_orb__invoice_payment_attempts') }}
    where payment_provider = 'stripe' and is_succeeded and not is_deleted
    qualify row_number() over (partition by payment_provider_id order by created_at, invoice_id) = 1

)

select
    charges.charge_id as payment_id,
    charges.payment_intent_id,
    links.stripe_invoice_id,
    case when links.stripe_invoice_id is null then collected_by_orb.invoice_id else stripe_invoices.invoice_id end as invoice_id,
    coalesce(ids.customer_id, charges.app_customer_id) as customer_id,
    charges.balance_transaction_id,
    case
        when links.stripe_invoice_id is not null then 'invoice'
        when coalesce(charges.purpose, intents.purpose) = 'top_up' then 'top_up'
        when collected_by_orb.invoice_id is not null then 'invoice'
        else 'other'
    end as purpose,
    charges.status,
    charges.payment_method_type,
    charges.currency,
    transactions.currency as settlement_currency,
    {{ reporting_currency() }} as reporting_currency,
    charges.amount,
    charges.amount_captured,
    charges.amount_refunded,
    coalesce(disputed.amount_disputed, {{ decimal_literal('0') }}) as amount_disputed,
    transactions.exchange_rate as settlement_exchange_rate,
    transactions.exchange_rate_source as settlement_exchange_rate_source,
    transactions.gross_amount as settlement_amount,
    coalesce(transactions.fee_amount, {{ decimal_literal('0') }}) as fee_amount,
    coalesce(transactions.net_amount, {{ decimal_literal('0') }}) as net_amount,
    {{ exchange_rate('charges.currency') }} as exchange_rate,
    {{ exchange_rate_source('charges.currency') }} as exchange_rate_source,
    {{ reporting_amount('charges.amount', 'charges.currency') }} as reporting_amount,
    transactions.reporting_gross_amount as reporting_settlement_amount,
    transactions.conversion_gain_amount,
    cast(charges.created_at as timestamp) as created_at,
    case when charges.is_paid then cast(charges.created_at as timestamp) end as paid_at,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_stripe__charges') }} as charges
left join {{ ref('int_cash__charge_invoices') }} as links on charges.charge_id = links.charge_id
left join {{ ref('fct_stripe_invoices') }} as stripe_invoices on links.stripe_invoice_id = stripe_invoices.stripe_invoice_id
left join collected_by_orb on coalesce(charges.payment_intent_id, charges.charge_id) = collected_by_orb.payment_provider_id
left join {{ ref('int_customers__stripe_ids') }} as ids on charges.customer_id = ids.stripe_customer_id
left join {{ ref('stg_stripe__payment_intents') }} as intents on charges.payment_intent_id = intents.payment_intent_id
left join {{ ref('fct_balance_transactions') }} as transactions on charges.balance_transaction_id = transactions.balance_transaction_id
left join disputed on charges.charge_id = disputed.charge_id
{{ join_exchange_rates('charges.currency', date_of('charges.created_at')) }}
where charges.is_livemode and not charges.is_deleted
