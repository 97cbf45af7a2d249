with test_mode as (
    select 'customers' as stream, object_id, object_id as stripe_customer_id, null as currency, null::decimal(38, 9) as amount
    from newest('raw_stripe.customers') where payload ->> '$.livemode' = 'false'
    union all
    select 'products', object_id, null, null, null
    from newest('raw_stripe.products') where payload ->> '$.livemode' = 'false'
    union all
    select 'prices', object_id, null, null, null
    from newest('raw_stripe.prices') where payload ->> '$.livemode' = 'false'
    union all
    select 'subscriptions', object_id, payload ->> '$.customer', null, null
    from newest('raw_stripe.subscriptions') where payload ->> '$.livemode' = 'false'
    union all
    select
        stream, object_id, payload ->> '$.customer', upper(payload ->> '$.currency'),
        major(payload ->> amount, payload ->> '$.currency'),
    from (
        select 'invoices' as stream, '$.total' as amount, * from newest('raw_stripe.invoices')
        union all by name
        select 'invoice_items' as stream, '$.amount' as amount, * from newest('raw_stripe.invoice_items')
        union all by name
        select 'credit_notes' as stream, '$.amount' as amount, * from newest('raw_stripe.credit_notes')
        union all by name
        select 'charges' as stream, '$.amount' as amount, * from newest('raw_stripe.charges')
        union all by name
        select 'payment_intents' as stream, '$.amount' as amount, * from newest('raw_stripe.payment_intents')
    )
    where payload ->> '$.livemode' = 'false'
    union all
    select stream, object_id, null, upper(payload ->> '$.currency'), major(payload ->> amount, payload ->> '$.currency')
    from (
        select 'invoice_lines' as stream, '$.amount' as amount, * from newest('raw_stripe.invoice_lines')
        union all by name
        select 'invoice_payments' as stream, '$.amount_requested' as amount, * from newest('raw_stripe.invoice_payments')
        union all by name
        select 'disputes' as stream, '$.amount' as amount, * from newest('raw_stripe.disputes')
        union all by name
        select 'payouts' as stream, '$.amount' as amount, * from newest('raw_stripe.payouts')
    )
    where payload ->> '$.livemode' = 'false'
    union all
    select
        'balance_transactions', object_id, null, upper(payload ->> '$.currency'),
        major(payload ->> '$.net', payload ->> '$.currency'),
    from newest('raw_stripe.balance_transactions')
    where (payload ->> '$.source') in (select object_id from test_mode_objects())
),

billed as (
    select
        payload ->> '$.customer.external_customer_id' as customer_id,
        upper(payload ->> '$.currency') as currency,
        sum((payload ->> '$.total')::decimal(38, 9)) as amount,
    from newest('raw_orb.invoices')
    where not is_gone and payload ->> '$.status' in ('issued', 'synced', 'paid')
    group by all
),

excluded as (
    select 'stripe' as source, stream, object_id, ids.customer_id, 'test_mode_row' as cause, currency, amount
    from test_mode
    left join stripe_customers() as ids using (stripe_customer_id)
    union all
    select
        'app', 'customers', object_id, object_id, 'internal_account',
        coalesce(billed.currency, upper(payload ->> '$.currency')), coalesce(billed.amount, 0),
    from newest('raw_app.customers')
    left join billed on object_id = billed.customer_id
    where payload ->> '$.account_type' in ('internal', 'test')
)

select key([source, stream, object_id, currency]) as excluded_id, *
from excluded
