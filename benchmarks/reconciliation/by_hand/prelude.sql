-- What several of the queries need. Each of them works it out for itself.

create temp macro newest(stream) as table
select
    *,
    first_value(is_deleted) over (partition by object_id order by read_at desc, batch_id desc, payload_hash desc) as is_gone,
from query_table(stream)
qualify row_number() over (partition by object_id order by is_deleted, read_at desc, batch_id desc, payload_hash desc) = 1;

create temp macro major(amount, currency) as cast(
    amount::decimal(38, 9)
    * case
        when upper(currency) in (
            'BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
        ) then 1::decimal(5, 4)
        when upper(currency) in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 0.001::decimal(5, 4)
        else 0.01::decimal(5, 4)
    end as decimal(38, 9)
);

create temp macro seconds_at(seconds) as to_timestamp(seconds::bigint)::timestamp;

create temp macro instant(text) as text::timestamptz::timestamp;

create temp macro added(list, path) as
coalesce(list_sum(list_transform(list, lambda each: (each ->> path)::decimal(38, 9))), 0)::decimal(38, 9);

create temp macro key(parts) as md5(array_to_string(
    list_transform(parts, lambda part: case when part is null then '-' else length(part) || ':' || part end), ','
));

-- Exact to nine decimals, halves away from zero; a quotient of decimals is a double.
create temp macro quotient(a, b) as (
    sign(a) * ((2000000000 * abs((a * 1000000000)::hugeint) + (b * 1000000000)::hugeint) // (2 * (b * 1000000000)::hugeint))
)::decimal(38, 0) * 0.000000001::decimal(10, 9);

create temp macro stripe_customers() as table
select
    stripe_customer_id,
    customer_id,
from (
    select
        payload ->> '$.stripe_customer_id' as stripe_customer_id,
        object_id as customer_id,
        1 as preference,
    from newest('raw_app.customers')
    union all
    select
        payload ->> '$.payment_provider_id',
        payload ->> '$.external_customer_id',
        2,
    from newest('raw_orb.customers')
    where payload ->> '$.payment_provider' in ('stripe_charge', 'stripe_invoice')
    union all
    select
        object_id,
        payload ->> '$.metadata.app_customer_id',
        3,
    from newest('raw_stripe.customers')
)
where stripe_customer_id is not null and customer_id is not null
qualify row_number() over (partition by stripe_customer_id order by preference, customer_id) = 1;

create temp macro test_mode_objects() as table
select object_id from newest('raw_stripe.charges') where payload ->> '$.livemode' = 'false'
union all
select object_id from newest('raw_stripe.payouts') where payload ->> '$.livemode' = 'false'
union all
select object_id from newest('raw_stripe.disputes') where payload ->> '$.livemode' = 'false'
union all
select refunds.object_id
from newest('raw_stripe.refunds') as refunds
inner join newest('raw_stripe.charges') as charges on refunds.payload ->> '$.charge' = charges.object_id
where charges.payload ->> '$.livemode' = 'false';

create temp macro internal_customers() as table
select object_id as customer_id
from newest('raw_app.customers')
where payload ->> '$.account_type' in ('internal', 'test');

create temp macro charge_invoices() as table
with links as (
    select
        payload ->> '$.payment.payment_intent' as payment_intent_id,
        payload ->> '$.payment.charge' as charge_id,
        payload ->> '$.invoice' as stripe_invoice_id,
        seconds_at(payload ->> '$.created') as created_at,
    from newest('raw_stripe.invoice_payments')
    where payload ->> '$.livemode' = 'true' and not is_gone and payload ->> '$.status' <> 'canceled'
    union all
    select
        payload ->> '$.payment_intent',
        payload ->> '$.charge',
        object_id,
        seconds_at(payload ->> '$.created'),
    from newest('raw_stripe.invoices')
    where payload ->> '$.livemode' = 'true' and not is_gone
)

select
    object_id as charge_id,
    coalesce(payload ->> '$.invoice', by_charge.stripe_invoice_id, by_intent.stripe_invoice_id) as stripe_invoice_id,
from newest('raw_stripe.charges') as charges
left join (
    select charge_id, arg_min(stripe_invoice_id, (created_at, stripe_invoice_id)) as stripe_invoice_id
    from links where charge_id is not null group by charge_id
) as by_charge on charges.object_id = by_charge.charge_id
left join (
    select payment_intent_id, arg_min(stripe_invoice_id, (created_at, stripe_invoice_id)) as stripe_invoice_id
    from links where payment_intent_id is not null group by payment_intent_id
) as by_intent on charges.payload ->> '$.payment_intent' = by_intent.payment_intent_id
where coalesce(payload ->> '$.invoice', by_charge.stripe_invoice_id, by_intent.stripe_invoice_id) is not null;

-- What a charge is for, and whose it is.
create temp macro charge_purposes() as table
select
    charges.object_id as charge_id,
    links.stripe_invoice_id,
    coalesce(ids.customer_id, charges.payload ->> '$.metadata.app_customer_id') as customer_id,
    case
        when links.stripe_invoice_id is not null then 'invoice'
        when coalesce(charges.payload ->> '$.metadata.purpose', intents.payload ->> '$.metadata.purpose') = 'top_up' then 'top_up'
        else 'other'
    end as purpose,
from newest('raw_stripe.charges') as charges
left join charge_invoices() as links on charges.object_id = links.charge_id
left join stripe_customers() as ids on charges.payload ->> '$.customer' = ids.stripe_customer_id
left join newest('raw_stripe.payment_intents') as intents on charges.payload ->> '$.payment_intent' = intents.object_id
where charges.payload ->> '$.livemode' = 'true' and not charges.is_gone;

create temp macro orb_lines() as table
select
    invoice_id,
    customer_id,
    currency,
    line.id as invoice_line_id,
    line.price.id as price_id,
    line.price.item.id as item_id,
    line.price.model_type as price_model,
    line.quantity,
    line.subtotal as subtotal_amount,
    coalesce(list_sum(list_transform(
        list_filter(line.adjustments, lambda each: each.adjustment_type in (
            'usage_discount', 'amount_discount', 'percentage_discount', 'tiered_percentage_discount', 'maximum'
        )),
        lambda each: each.amount
    )), 0)::decimal(38, 9) as discount_amount,
    coalesce(list_sum(list_transform(
        list_filter(line.adjustments, lambda each: each.adjustment_type = 'minimum'), lambda each: each.amount
    )), 0)::decimal(38, 9) as minimum_amount,
    case
        when line.price.price_type = 'usage_price' then 'usage'
        when line.price.price_type = 'composite_price' then 'percent_fee'
        when line.subtotal = 0 and minimum_amount <> 0 then 'minimum'
        else 'fixed_fee'
    end as line_kind,
    line.adjusted_subtotal as adjusted_amount,
    line.credits_applied as credits_applied_amount,
    coalesce(list_sum(list_transform(line.tax_amounts, lambda each: each.amount)), 0)::decimal(38, 9) as tax_amount,
    line.amount,
    line.start_date::date as period_start,
    (line.end_date - interval 1 second)::date + 1 as period_end,
from (
    select
        object_id as invoice_id,
        payload ->> '$.customer.external_customer_id' as customer_id,
        upper(payload ->> '$.currency') as currency,
        unnest(from_json(payload -> '$.line_items', '[{
            "id": "varchar",
            "price": {"id": "varchar", "item": {"id": "varchar"}, "model_type": "varchar", "price_type": "varchar"},
            "quantity": "decimal(38, 18)",
            "subtotal": "decimal(38, 9)",
            "adjustments": [{"adjustment_type": "varchar", "amount": "decimal(38, 9)"}],
            "adjusted_subtotal": "decimal(38, 9)",
            "credits_applied": "decimal(38, 9)",
            "tax_amounts": [{"amount": "decimal(38, 9)"}],
            "amount": "decimal(38, 9)",
            "start_date": "timestamptz",
            "end_date": "timestamptz"
        }]')) as line,
    from newest('raw_orb.invoices')
    where not is_gone
);

create temp macro payout_lists() as table
select
    lists.payload ->> '$.id' as balance_transaction_id,
    lists.parent_id as payout_id,
    major(lists.payload ->> '$.net', lists.payload ->> '$.currency') as net_amount,
from newest('raw_stripe.payout_transactions') as lists
inner join newest('raw_stripe.payouts') as payouts on lists.parent_id = payouts.object_id
where
    not lists.is_gone
    and not payouts.is_gone
    and payouts.payload ->> '$.livemode' = 'true'
    and not (lists.payload ->> '$.type' = 'payout' and lists.payload ->> '$.source' = lists.parent_id)
qualify row_number() over (
    partition by lists.payload ->> '$.id' order by (payouts.payload ->> '$.created')::bigint, lists.parent_id
) = 1;

-- Which payout by hand a transaction without a list went into: first in, first out, between two automatic payouts.
create temp macro draws() as table
with transactions as (
    select
        object_id,
        payload ->> '$.type' as type,
        upper(payload ->> '$.currency') as currency,
        major(payload ->> '$.fee', payload ->> '$.currency') as fee_amount,
        major(payload ->> '$.net', payload ->> '$.currency') as amount,
        seconds_at(payload ->> '$.created') as created_at,
        seconds_at(payload ->> '$.available_on') as available_at,
        object_id in (select balance_transaction_id from payout_lists()) as is_listed,
    from newest('raw_stripe.balance_transactions')
    where not is_gone and coalesce(payload ->> '$.source', '') not in (select object_id from test_mode_objects())
),

payouts as (
    select
        payouts.object_id,
        upper(payload ->> '$.currency') as currency,
        seconds_at(payload ->> '$.created') as created_at,
        payload ->> '$.method' = 'instant' as is_instant,
        payload ->> '$.automatic' = 'true' as is_automatic,
        major(payload ->> '$.amount', payload ->> '$.currency') + coalesce(debits.fee_amount, 0) as amount,
    from newest('raw_stripe.payouts') as payouts
    left join transactions as debits on payload ->> '$.balance_transaction' = debits.object_id
    where
        payload ->> '$.livemode' = 'true'
        and not is_gone
        and (payload ->> '$.automatic' = 'true' or not coalesce(debits.is_listed, false))
),

events as (
    select
        unlisted.object_id,
        unlisted.currency,
        'transaction' as kind,
        1 as place,
        case
            when min(instants.created_at) < unlisted.available_at then min(instants.created_at)
            else greatest(unlisted.created_at, unlisted.available_at)
        end as occurred_at,
        unlisted.amount,
    from transactions as unlisted
    left join payouts as instants
        on
            unlisted.currency = instants.currency
            and instants.is_instant
            and not instants.is_automatic
            and instants.created_at >= unlisted.created_at
    where not unlisted.is_listed and unlisted.type <> 'payout'
    group by unlisted.object_id, unlisted.currency, unlisted.created_at, unlisted.available_at, unlisted.amount
    union all
    select object_id, currency, case when is_automatic then 'automatic' else 'by_hand' end, 2, created_at, amount
    from payouts
),

in_order as (
    select
        *,
        row_number() over following_each_other as event_no,
        count(*) filter (kind = 'automatic') over following_each_other as segment_no,
    from events
    window following_each_other as (
        partition by currency order by occurred_at, place, object_id rows between unbounded preceding and current row
    )
),

summed as (
    select
        *,
        coalesce(sum(amount) filter (kind = 'transaction') over segment, 0)::decimal(38, 9) as available_amount,
        coalesce(sum(amount) filter (kind = 'by_hand') over segment, 0)::decimal(38, 9) as sent_amount,
    from in_order
    where kind <> 'automatic'
    window segment as (partition by currency, segment_no order by event_no rows between unbounded preceding and current row)
),

placed as (
    select
        *,
        coalesce(
            max(sent_amount - available_amount) filter (kind = 'by_hand' and sent_amount > available_amount) over segment, 0
        )::decimal(38, 9) as uncovered_amount,
        case when kind = 'by_hand' then sent_amount - uncovered_amount else available_amount end as position,
    from summed
    window segment as (partition by currency, segment_no order by event_no rows between unbounded preceding and current row)
),

paid as (
    select
        *,
        case when kind = 'transaction' then
            min(event_no) filter (kind = 'by_hand') over (
                partition by currency, segment_no order by event_no rows between current row and unbounded following
            )
        end as next_no,
        case when kind = 'transaction' then
            min(event_no) filter (kind = 'by_hand') over (
                partition by currency, segment_no order by position, place, event_no rows between current row and unbounded following
            )
        end as reaching_no,
        case when next_no is not null and reaching_no is not null then greatest(next_no, reaching_no) end as payout_event_no,
    from placed
)

select
    *,
    case
        when kind = 'by_hand' or payout_event_no is not null then 0
        when amount > 0 and row_number() over (
            partition by currency, segment_no, kind = 'transaction' and payout_event_no is null and amount > 0 order by event_no
        ) = 1 then amount - coalesce(
            max(position) filter (kind = 'by_hand') over segment
            - coalesce(sum(amount) filter (payout_event_no is not null) over segment, 0),
            0
        )
        else amount
    end::decimal(38, 9) as unsettled_amount,
from paid
window segment as (partition by currency, segment_no);

create temp macro metered_products() as table
select
    metrics.event_name,
    metrics.metric,
    products.product_id,
    products.unit,
from (
    values
    ('text_generation', 'input_tokens'),
    ('text_generation', 'output_tokens'),
    ('text_generation', 'requests'),
    ('image_generation', 'megapixels'),
    ('video_generation', 'video_seconds'),
    ('gpu_job', 'gpu_seconds')
) as metrics (event_name, metric)
left join (
    select
        payload ->> '$.product_code' as product_id,
        payload ->> '$.metric_code' as metric,
        payload ->> '$.unit' as unit,
    from newest('raw_app.price_book')
    where not is_gone
    qualify row_number() over (
        partition by payload ->> '$.product_code'
        order by (payload ->> '$.effective_from')::date desc, instant(payload ->> '$.updated_at') desc, object_id
    ) = 1
) as products on metrics.metric = products.metric;

-- An event can land again, changed: the last one counts. Twice as fast as a window over all rows, and in half its memory.
create temp macro newest_events() as table
with repeated as materialized (
    select event_id from raw_app.usage_events group by event_id having count(*) > 1
)

select * from raw_app.usage_events where event_id not in (select event_id from repeated)
union all
select *
from raw_app.usage_events
where event_id in (select event_id from repeated)
qualify row_number() over (partition by event_id order by read_at desc, batch_id desc) = 1;
