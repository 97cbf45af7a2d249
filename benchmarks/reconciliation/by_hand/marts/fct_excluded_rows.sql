with test_mode as (
    select 'customers' as stream, object_id, object_id as stripe_customer_id, null as currency, null::decimal(38, 9) as amount
    from test_mode('customers')
    union all
    select 'products', object_id, null, null, null from test_mode('products')
    union all
    select 'prices', object_id, null, null, null from test_mode('prices')
    union all
    select 'subscriptions', object_id, stripe_customer_id, null, null from test_mode('subscriptions')
    union all
    select 'invoices', * from test_mode('invoices')
    union all
    select 'invoice_items', * from test_mode('invoice_items')
    union all
    select 'invoice_lines', * replace (null as stripe_customer_id) from test_mode('invoice_lines')
    union all
    select 'invoice_payments', * from test_mode('invoice_payments')
    union all
    select 'credit_notes', * from test_mode('credit_notes')
    union all
    select 'charges', * from test_mode('charges')
    union all
    select 'payment_intents', * from test_mode('payment_intents')
    union all
    select 'disputes', * from test_mode('disputes')
    union all
    select 'payouts', * from test_mode('payouts')
    union all
    select 'balance_transactions', object_id, null, upper(currency), major(net, currency)
    from objects('raw_stripe.balance_transactions', '{"source": "varchar", "currency": "varchar", "net": "decimal(38, 9)"}')
    where source in (select object_id from test_mode_objects())
),

billed as (
    select customer_id, upper(currency) as currency, sum(total)::decimal(38, 9) as amount
    from orb_invoices()
    where status in ('issued', 'synced', 'paid')
    group by all
),

excluded as (
    select 'stripe' as source, stream, object_id, customer_id, 'test_mode_row' as cause, currency, amount
    from test_mode
    left join stripe_customers() as ids using (stripe_customer_id)
    union all
    select
        'app',
        'customers',
        object_id,
        object_id,
        'internal_account',
        coalesce(billed.currency, upper(customers.currency)),
        coalesce(billed.amount, 0),
    from objects('raw_app.customers', '{"account_type": "varchar", "currency": "varchar"}') as customers
    left join billed on customers.object_id = billed.customer_id
    where account_type in ('internal', 'test')
)

select
    key([source, stream, object_id, currency]) as excluded_id,
    *,
from excluded
