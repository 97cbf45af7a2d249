select
    charges.object_id as payment_id,
    charges.payload ->> '$.payment_intent' as payment_intent_id,
    of.stripe_invoice_id,
    invoices.payload ->> '$.metadata.orb_invoice_id' as invoice_id,
    of.customer_id,
    charges.payload ->> '$.balance_transaction' as balance_transaction_id,
    of.purpose,
    charges.payload ->> '$.status' as status,
    charges.payload ->> '$.payment_method_details.type' as payment_method_type,
    upper(charges.payload ->> '$.currency') as currency,
    upper(transactions.payload ->> '$.currency') as settlement_currency,
    major(charges.payload ->> '$.amount', charges.payload ->> '$.currency') as amount,
    major(charges.payload ->> '$.amount_captured', charges.payload ->> '$.currency') as amount_captured,
    major(charges.payload ->> '$.amount_refunded', charges.payload ->> '$.currency') as amount_refunded,
    coalesce(disputes.amount, 0) as amount_disputed,
    coalesce(major(transactions.payload ->> '$.fee', transactions.payload ->> '$.currency'), 0) as fee_amount,
    coalesce(major(transactions.payload ->> '$.net', transactions.payload ->> '$.currency'), 0) as net_amount,
    seconds_at(charges.payload ->> '$.created') as created_at,
    case when charges.payload ->> '$.paid' = 'true' then seconds_at(charges.payload ->> '$.created') end as paid_at,
from newest('raw_stripe.charges') as charges
inner join charge_purposes() as of on charges.object_id = of.charge_id
left join newest('raw_stripe.invoices') as invoices
    on of.stripe_invoice_id = invoices.object_id and invoices.payload ->> '$.livemode' = 'true' and not invoices.is_gone
left join newest('raw_stripe.balance_transactions') as transactions
    on charges.payload ->> '$.balance_transaction' = transactions.object_id and not transactions.is_gone
left join (
    select payload ->> '$.charge' as charge_id, sum(major(payload ->> '$.amount', payload ->> '$.currency')) as amount
    from newest('raw_stripe.disputes')
    where payload ->> '$.status' not in ('won', 'warning_closed', 'prevented')
    group by charge_id
) as disputes on charges.object_id = disputes.charge_id
