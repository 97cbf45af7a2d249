with disputed as (
    select charge as payment_id, sum(major(amount, currency))::decimal(38, 9) as amount_disputed
    from objects('raw_stripe.disputes', '{
        "charge": "varchar", "status": "varchar", "currency": "varchar", "amount": "decimal(38, 9)"
    }')
    where status not in ('won', 'warning_closed', 'prevented')
    group by charge
)

select
    charges.payment_id,
    charges.payment_intent_id,
    charges.stripe_invoice_id,
    charges.invoice_id,
    charges.customer_id,
    charges.balance_transaction_id,
    charges.purpose,
    charges.status,
    charges.payment_method_type,
    charges.currency,
    transactions.currency as settlement_currency,
    'USD' as reporting_currency,
    charges.amount,
    charges.amount_captured,
    charges.amount_refunded,
    coalesce(disputed.amount_disputed, 0) as amount_disputed,
    transactions.exchange_rate as settlement_exchange_rate,
    case when transactions.exchange_rate is not null then 'Stripe' end as settlement_exchange_rate_source,
    transactions.gross_amount as settlement_amount,
    coalesce(transactions.fee_amount, 0) as fee_amount,
    coalesce(transactions.net_amount, 0) as net_amount,
    rate(charges.currency, rates.exchange_rate) as exchange_rate,
    rate_source(charges.currency, rates.exchange_rate_source) as exchange_rate_source,
    in_dollars(charges.amount, charges.currency, rates.exchange_rate) as reporting_amount,
    in_dollars(transactions.gross_amount, transactions.currency, settlement.exchange_rate) as reporting_settlement_amount,
    case
        when transactions.exchange_rate is not null
            then reporting_settlement_amount - in_dollars(charges.amount_captured, charges.currency, rates.exchange_rate)
        when transactions.gross_amount is not null then 0
    end as conversion_gain_amount,
    charges.created_at,
    case when charges.is_paid then charges.created_at end as paid_at,
from charges() as charges
left join balance_transactions() as transactions using (balance_transaction_id)
left join disputed using (payment_id)
left join rates() as rates on charges.currency = rates.currency and charges.created_at::date = rates.rate_date
left join rates() as settlement on transactions.currency = settlement.currency and transactions.created_at::date = settlement.rate_date
