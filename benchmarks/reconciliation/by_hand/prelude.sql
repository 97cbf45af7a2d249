-- What several of the queries need. Each of them works it out for itself: a macro is no table, and keeps nothing.

-- Objects of a stream by their newest full versions, each document parsed once. Instants are in UTC in all of them.
create temp macro objects(stream, fields) as table
select
    object_id,
    parent_id,
    is_gone,
    unnest(from_json(payload, fields)),
from (
    select
        *,
        first_value(is_deleted) over (partition by object_id order by read_at desc, batch_id desc, payload_hash desc) as is_gone,
    from query_table(stream)
    qualify row_number() over (partition by object_id order by is_deleted, read_at desc, batch_id desc, payload_hash desc) = 1
);

-- The company is landed at one moment.
create temp macro known_on() as (select max(read_at)::date from raw_orb.invoices);

create temp macro seconds_at(seconds) as make_timestamp(seconds * 1000000);

-- The UTC day of an instant with a zone; a cast would ask DuckDB's calendar of time zones.
create temp macro day_of(instant) as make_timestamp(epoch_us(instant))::date;

create temp macro month_of(day) as strftime(day, '%Y-%m');

create temp macro key(parts) as md5(array_to_string(
    list_transform(parts, lambda part: case when part is null then '-' else length(part) || ':' || part end), ','
));

create temp macro added(amounts) as coalesce(list_sum(amounts), 0)::decimal(38, 9);

-- Stripe's integers.
create temp macro major(amount, currency) as cast(
    amount
    * case
        when upper(currency) in (
            'BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'
        ) then 1::decimal(5, 4)
        when upper(currency) in ('BHD', 'JOD', 'KWD', 'OMR', 'TND') then 0.001::decimal(5, 4)
        else 0.01::decimal(5, 4)
    end as decimal(38, 9)
);

create temp macro to_minor_unit(amount, currency) as
case when currency = 'JPY' then round(amount)::decimal(38, 9) else round(amount, 2)::decimal(38, 9) end;

-- Exact to nine decimals, halves away from zero, and none by zero; a quotient of decimals is a double.
create temp macro quotient(a, b) as (
    sign(a) * sign(b)
    * (
        (2000000000 * abs((a * 1000000000)::hugeint) + abs((b * 1000000000)::hugeint))
        // nullif(2 * abs((b * 1000000000)::hugeint), 0)
    )
)::decimal(38, 0) * 0.000000001::decimal(10, 9);

-- An amount times a quotient with 18 decimals of what has six itself.
create temp macro scaled(amount, a, b) as (
    amount * (
        sign(a) * sign(b)
        * (
            (2000000000000000000 * abs((a * 1000000)::hugeint) + abs((b * 1000000)::hugeint))
            // nullif(2 * abs((b * 1000000)::hugeint), 0)
        )
    )::decimal(38, 0) * 0.000000000000000001::decimal(18, 18)
)::decimal(38, 18)::decimal(38, 9);

-- Dollars for one of another currency, day by day: a rate holds until the next one, for a week at most.
create temp macro rates() as table
select
    currency,
    exchange_rate,
    exchange_rate_source,
    published_on,
    unnest(generate_series(published_on, least(published_on + 6, next_published_on - 1), interval 1 day))::date as rate_date,
from (
    select
        upper(currency) as currency,
        rate as exchange_rate,
        publisher as exchange_rate_source,
        published_on,
        lead(published_on) over (partition by currency order by published_on) as next_published_on,
    from objects('raw_app.exchange_rates', '{
        "publisher": "varchar", "currency": "varchar", "rate": "decimal(38, 9)", "published_on": "date"
    }')
    where not is_gone
);

create temp macro rate(currency, published) as case when currency = 'USD' then 1::decimal(38, 9) else published end;

create temp macro rate_source(currency, publisher) as case when currency = 'USD' then 'same currency' else publisher end;

create temp macro in_dollars(amount, currency, published) as (amount * rate(currency, published))::decimal(38, 9);

create temp macro internal_customers() as table
select object_id as customer_id
from objects('raw_app.customers', '{"account_type": "varchar"}')
where account_type in ('internal', 'test');

create temp macro stripe_customers() as table
select
    stripe_customer_id,
    customer_id,
from (
    select
        stripe_customer_id,
        object_id as customer_id,
        1 as preference,
    from objects('raw_app.customers', '{"stripe_customer_id": "varchar"}')
    union all
    select
        payment_provider_id,
        external_customer_id,
        2,
    from objects('raw_orb.customers', '{
        "external_customer_id": "varchar", "payment_provider": "varchar", "payment_provider_id": "varchar"
    }')
    where payment_provider in ('stripe_charge', 'stripe_invoice')
    union all
    select
        object_id,
        metadata.app_customer_id,
        3,
    from objects('raw_stripe.customers', '{"metadata": {"app_customer_id": "varchar"}}')
)
where stripe_customer_id is not null and customer_id is not null
qualify row_number() over (partition by stripe_customer_id order by preference, customer_id) = 1;

create temp macro test_mode(stream) as table
select
    object_id,
    customer as stripe_customer_id,
    upper(currency) as currency,
    major(coalesce(amount, amount_requested, total), currency) as amount,
from objects('raw_stripe.' || stream, '{
    "livemode": "boolean",
    "customer": "varchar",
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "amount_requested": "decimal(38, 9)",
    "total": "decimal(38, 9)"
}')
where not livemode;

-- A balance transaction doesn't say livemode: the object behind it does, and for a refund its charge.
create temp macro test_mode_objects() as table
select object_id from test_mode('charges')
union all
select object_id from test_mode('payouts')
union all
select object_id from test_mode('disputes')
union all
select refunds.object_id
from objects('raw_stripe.refunds', '{"charge": "varchar"}') as refunds
inner join test_mode('charges') as charges on refunds.charge = charges.object_id;

-- Which payment intent Orb says an invoice was collected with.
create temp macro collected_by_orb() as table
select distinct invoice_id, attempt.payment_provider_id as payment_intent_id
from (
    select object_id as invoice_id, unnest(payment_attempts) as attempt
    from objects('raw_orb.invoices', '{"payment_attempts": [{"payment_provider_id": "varchar", "succeeded": "boolean"}]}')
)
where attempt.succeeded;

-- Charges, what each is for, and whose it is.
create temp macro charges() as table
select
    charges.object_id as payment_id,
    charges.payment_intent as payment_intent_id,
    charges.balance_transaction as balance_transaction_id,
    paid.invoice as stripe_invoice_id,
    coalesce(invoices.metadata.orb_invoice_id, collected_by_orb.invoice_id) as invoice_id,
    coalesce(ids.customer_id, charges.metadata.app_customer_id) as customer_id,
    case
        when paid.object_id is not null then 'invoice'
        when coalesce(charges.metadata.purpose, intents.metadata.purpose) = 'top_up' then 'top_up'
        else 'other'
    end as purpose,
    charges.status,
    charges.payment_method_details.type as payment_method_type,
    upper(charges.currency) as currency,
    major(charges.amount, charges.currency) as amount,
    major(charges.amount_captured, charges.currency) as amount_captured,
    major(charges.amount_refunded, charges.currency) as amount_refunded,
    charges.paid as is_paid,
    seconds_at(charges.created) as created_at,
from objects('raw_stripe.charges', '{
    "livemode": "boolean",
    "customer": "varchar",
    "payment_intent": "varchar",
    "balance_transaction": "varchar",
    "metadata": {"app_customer_id": "varchar", "purpose": "varchar"},
    "status": "varchar",
    "payment_method_details": {"type": "varchar"},
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "amount_captured": "decimal(38, 9)",
    "amount_refunded": "decimal(38, 9)",
    "paid": "boolean",
    "created": "bigint"
}') as charges
left join objects('raw_stripe.invoice_payments', '{"invoice": "varchar", "payment": {"payment_intent": "varchar"}}') as paid
    on charges.payment_intent = paid.payment.payment_intent
left join objects('raw_stripe.invoices', '{"metadata": {"orb_invoice_id": "varchar"}}') as invoices on paid.invoice = invoices.object_id
left join objects('raw_stripe.payment_intents', '{"metadata": {"purpose": "varchar"}}') as intents
    on charges.payment_intent = intents.object_id
left join collected_by_orb() as collected_by_orb on charges.payment_intent = collected_by_orb.payment_intent_id
left join stripe_customers() as ids on charges.customer = ids.stripe_customer_id
where charges.livemode and not charges.is_gone;

create temp macro balance_transactions() as table
select
    object_id as balance_transaction_id,
    source as source_id,
    type,
    reporting_category,
    upper(currency) as currency,
    exchange_rate,
    major(amount, currency) as gross_amount,
    major(fee, currency) as fee_amount,
    major(net, currency) as net_amount,
    seconds_at(created) as created_at,
    seconds_at(available_on) as available_on,
from objects('raw_stripe.balance_transactions', '{
    "source": "varchar",
    "type": "varchar",
    "reporting_category": "varchar",
    "currency": "varchar",
    "exchange_rate": "decimal(38, 9)",
    "amount": "decimal(38, 9)",
    "fee": "decimal(38, 9)",
    "net": "decimal(38, 9)",
    "created": "bigint",
    "available_on": "bigint"
}')
where not is_gone and coalesce(source, '') not in (select object_id from test_mode_objects());

-- With what was paid, in the currency it was paid in. Where that is the balance's own, Stripe states no rate.
create temp macro presented_transactions() as table
select
    transactions.*,
    case when exchange_rate is null then transactions.currency else upper(presented.currency) end as presentment_currency,
    case
        when exchange_rate is null then gross_amount
        else (sign(gross_amount) * major(coalesce(presented.amount_captured, presented.amount), presented.currency))::decimal(38, 9)
    end as presentment_amount,
from balance_transactions() as transactions
left join (
    from objects('raw_stripe.charges', '{"currency": "varchar", "amount": "decimal(38, 9)", "amount_captured": "decimal(38, 9)"}')
    union all by name
    from objects('raw_stripe.refunds', '{"currency": "varchar", "amount": "decimal(38, 9)"}')
    union all by name
    from objects('raw_stripe.disputes', '{"currency": "varchar", "amount": "decimal(38, 9)"}')
) as presented on transactions.source_id = presented.object_id;

create temp macro payout_lists() as table
select
    lists.id as balance_transaction_id,
    lists.parent_id as payout_id,
    major(lists.net, lists.currency) as net_amount,
from objects('raw_stripe.payout_transactions', '{
    "id": "varchar", "source": "varchar", "type": "varchar", "currency": "varchar", "net": "decimal(38, 9)"
}') as lists
inner join objects('raw_stripe.payouts', '{"livemode": "boolean", "created": "bigint"}') as payouts on lists.parent_id = payouts.object_id
where
    not lists.is_gone
    and not payouts.is_gone
    and payouts.livemode
    and not (lists.type = 'payout' and lists.source = lists.parent_id)
qualify row_number() over (partition by lists.id order by payouts.created, lists.parent_id) = 1;

-- Which payout by hand a transaction without a list went into: first in, first out, between two automatic payouts.
create temp macro draws() as table
with transactions as (
    select
        *,
        balance_transaction_id in (select balance_transaction_id from payout_lists()) as is_listed,
    from balance_transactions()
),

payouts as (
    select
        payouts.object_id,
        upper(payouts.currency) as currency,
        seconds_at(created) as created_at,
        method = 'instant' as is_instant,
        automatic as is_automatic,
        major(amount, payouts.currency) + coalesce(debits.fee_amount, 0) as amount,
    from objects('raw_stripe.payouts', '{
        "livemode": "boolean",
        "balance_transaction": "varchar",
        "method": "varchar",
        "automatic": "boolean",
        "currency": "varchar",
        "amount": "decimal(38, 9)",
        "created": "bigint"
    }') as payouts
    left join transactions as debits on payouts.balance_transaction = debits.balance_transaction_id
    where livemode and not is_gone and (automatic or not coalesce(debits.is_listed, false))
),

events as (
    select
        unlisted.balance_transaction_id as object_id,
        unlisted.currency,
        'transaction' as kind,
        1 as place,
        case
            when min(instants.created_at) < unlisted.available_on then min(instants.created_at)
            else greatest(unlisted.created_at, unlisted.available_on)
        end as occurred_at,
        unlisted.net_amount as amount,
    from transactions as unlisted
    left join payouts as instants
        on
            unlisted.currency = instants.currency
            and instants.is_instant
            and not instants.is_automatic
            and instants.created_at >= unlisted.created_at
    where not unlisted.is_listed and unlisted.type <> 'payout'
    group by unlisted.balance_transaction_id, unlisted.currency, unlisted.created_at, unlisted.available_on, unlisted.net_amount
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

create temp macro orb_invoices() as table
select
    * exclude (object_id, parent_id, is_gone, customer),
    object_id as invoice_id,
    customer.external_customer_id as customer_id,
from objects('raw_orb.invoices', '{
    "invoice_number": "varchar",
    "customer": {"external_customer_id": "varchar"},
    "subscription": {"id": "varchar"},
    "status": "varchar",
    "invoice_source": "varchar",
    "currency": "varchar",
    "subtotal": "decimal(38, 9)",
    "total": "decimal(38, 9)",
    "amount_due": "decimal(38, 9)",
    "payment_attempts": [{"amount": "decimal(38, 9)", "succeeded": "boolean"}],
    "line_items": "json",
    "invoice_date": "timestamp",
    "due_date": "timestamp",
    "eligible_to_issue_at": "timestamp",
    "scheduled_issue_at": "timestamp",
    "issued_at": "timestamp",
    "paid_at": "timestamp",
    "voided_at": "timestamp"
}')
where not is_gone;

-- Invoices that a grant of credit made.
create temp macro sold_on_invoices() as table
select distinct unnest(created_invoices).id as invoice_id
from objects('raw_orb.credit_ledger', '{"created_invoices": [{"id": "varchar"}]}');

create temp macro orb_lines() as table
select
    invoice_id,
    customer_id,
    status,
    invoice_source,
    upper(currency) as currency,
    line.id as invoice_line_id,
    line.name as line_name,
    line.price.id as price_id,
    line.price.item.id as item_id,
    line.price.model_type as price_model,
    line.quantity,
    line.subtotal as subtotal_amount,
    added([
        each.amount for each in line.adjustments if each.adjustment_type in (
            'usage_discount', 'amount_discount', 'percentage_discount', 'tiered_percentage_discount', 'maximum'
        )
    ]) as discount_amount,
    added([each.amount for each in line.adjustments if each.adjustment_type = 'minimum']) as minimum_amount,
    case
        when line.price.price_type = 'usage_price' then 'usage'
        when line.price.price_type = 'composite_price' then 'percent_fee'
        when invoice_id in (from sold_on_invoices()) then 'prepaid_credit'
        when line.subtotal = 0 and minimum_amount <> 0 then 'minimum'
        else 'fixed_fee'
    end as line_kind,
    line.adjusted_subtotal as adjusted_amount,
    line.credits_applied as credits_applied_amount,
    added([each.amount for each in line.tax_amounts]) as tax_amount,
    line.amount,
    line.start_date::date as period_start,
    (line.end_date - interval 1 second)::date + 1 as period_end,
    invoice_date::date as invoice_date,
    issued_at,
    voided_at::date as voided_on,
from (
    select
        *,
        unnest(from_json(line_items, '[{
            "id": "varchar",
            "name": "varchar",
            "price": {"id": "varchar", "item": {"id": "varchar"}, "model_type": "varchar", "price_type": "varchar"},
            "quantity": "decimal(38, 18)",
            "subtotal": "decimal(38, 9)",
            "adjustments": [{"adjustment_type": "varchar", "amount": "decimal(38, 9)"}],
            "adjusted_subtotal": "decimal(38, 9)",
            "credits_applied": "decimal(38, 9)",
            "tax_amounts": [{"amount": "decimal(38, 9)"}],
            "amount": "decimal(38, 9)",
            "start_date": "timestamp",
            "end_date": "timestamp"
        }]')) as line,
    from orb_invoices()
);

create temp macro items() as table
select object_id as item_id, metadata.product_code as product_id
from objects('raw_orb.items', '{"metadata": {"product_code": "varchar"}}');

-- Lines of drafts and of invoices that were issued, without those of staff and test tenants.
create temp macro customers_lines() as table
select lines.*, items.product_id
from orb_lines() as lines
left join items() as items using (item_id)
where
    lines.customer_id not in (select customer_id from internal_customers())
    and (lines.status <> 'void' or lines.issued_at is not null);

-- Of an event that has landed again, changed, the last row counts. Ids that share a hash are told apart in the second part: to count
-- integers takes less time and memory than to count ids, and both less than a window over all rows.
create temp macro newest_events() as table
with repeated as materialized (
    select hash(event_id) as event_hash from raw_app.usage_events group by event_hash having count(*) > 1
)

select * from raw_app.usage_events where hash(event_id) not in (select event_hash from repeated)
union all
select *
from raw_app.usage_events
where hash(event_id) in (select event_hash from repeated)
qualify row_number() over (partition by event_id order by read_at desc, batch_id desc) = 1;

-- `used`: sums of events. One row for each metric that events of the name carry.
create temp macro by_metric(used) as table
select counted.*, products.product_code as product_id, products.unit
from (
    unpivot query_table(used)
    on input_tokens, output_tokens, requests, megapixels, video_seconds, gpu_seconds
    into name metric value quantity
) as counted
inner join (
    values
    ('text_generation', 'input_tokens'),
    ('text_generation', 'output_tokens'),
    ('text_generation', 'requests'),
    ('image_generation', 'megapixels'),
    ('video_generation', 'video_seconds'),
    ('gpu_job', 'gpu_seconds')
) as metrics (event_name, metric) using (event_name, metric)
left join (
    select distinct on (product_code) *
    from objects('raw_app.price_book', '{
        "product_code": "varchar", "metric_code": "varchar", "unit": "varchar", "effective_from": "date", "updated_at": "timestamp"
    }')
    where not is_gone
    order by effective_from desc, updated_at desc, object_id
) as products on counted.metric = products.metric_code;

create temp macro usage_by_model() as table
with used as (
    select
        customer_id,
        event_name,
        model,
        day_of(occurred_at) as usage_date,
        sum(input_tokens)::decimal(38, 9) as input_tokens,
        sum(output_tokens)::decimal(38, 9) as output_tokens,
        count(*)::decimal(38, 9) as requests,
        sum(megapixels)::decimal(38, 9) as megapixels,
        sum(video_seconds)::decimal(38, 9) as video_seconds,
        sum(gpu_seconds)::decimal(38, 9) as gpu_seconds,
        count(*) as event_count,
        min(occurred_at)::timestamp as first_occurred_at,
        max(occurred_at)::timestamp as last_occurred_at,
    from newest_events()
    group by all
)

from by_metric('used');

create temp macro usage_by_product() as table
with used as (
    select
        customer_id,
        event_name,
        day_of(occurred_at) as usage_date,
        sum(input_tokens)::decimal(38, 9) as input_tokens,
        sum(output_tokens)::decimal(38, 9) as output_tokens,
        count(*)::decimal(38, 9) as requests,
        sum(megapixels)::decimal(38, 9) as megapixels,
        sum(video_seconds)::decimal(38, 9) as video_seconds,
        sum(gpu_seconds)::decimal(38, 9) as gpu_seconds,
    from newest_events()
    group by all
)

from by_metric('used');

-- `used`: usage by model. The line of the model goes before the product's.
create temp macro serving_costs(used) as table
select
    used.*,
    cards.object_id as serving_cost_id,
    upper(cards.currency) as currency,
    (used.quantity * cards.unit_cost)::decimal(38, 9) as cost_amount,
from query_table(used) as used
left join objects('raw_app.serving_costs', '{
    "product_code": "varchar",
    "model": "varchar",
    "currency": "varchar",
    "unit_cost": "decimal(38, 18)",
    "effective_from": "date",
    "effective_to": "date"
}') as cards
    on
        used.product_id = cards.product_code
        and used.model is not distinct from coalesce(cards.model, used.model)
        and used.usage_date >= cards.effective_from
        and used.usage_date < coalesce(cards.effective_to, date '9999-12-31')
        and not cards.is_gone
qualify row_number() over (partition by used.customer_id, used.metric, used.model, used.usage_date order by cards.model is null) = 1;

-- Entries of the credit ledger, without those of staff and test tenants.
create temp macro credit_entries() as table
select
    object_id as ledger_entry_id,
    customer.external_customer_id as customer_id,
    credit_block.id as credit_block_id,
    invoice_id,
    price_id,
    entry_type,
    upper(currency) as currency,
    amount,
    coalesce(credit_block.per_unit_cost_basis, 0)::decimal(38, 9) as cost_basis,
    (amount * cost_basis)::decimal(38, 9) as paid_amount,
    created_at::date as entry_date,
from objects('raw_orb.credit_ledger', '{
    "customer": {"external_customer_id": "varchar"},
    "credit_block": {"id": "varchar", "per_unit_cost_basis": "decimal(38, 9)"},
    "invoice_id": "varchar",
    "price_id": "varchar",
    "entry_type": "varchar",
    "currency": "varchar",
    "amount": "decimal(38, 9)",
    "created_at": "timestamp"
}')
where not is_gone and customer.external_customer_id not in (select customer_id from internal_customers());

-- Credit that is void was paid back, or lost in a dispute.
create temp macro refunded_blocks() as table
select blocks.object_id as credit_block_id
from objects('raw_orb.credit_blocks', '{"metadata": {"payment_intent": "varchar"}}') as blocks
inner join objects('raw_stripe.refunds', '{"payment_intent": "varchar"}') as refunds
    on blocks.metadata.payment_intent = refunds.payment_intent;

-- What credit has paid of the lines of customers. An amendment gives back what a cheaper tier makes too much of the month, and names
-- neither invoice nor price: they are the month's, and the one of which more was drawn than the invoice applies.
create temp macro credit_draws(lines) as table
with invoices as (
    select
        invoice_id,
        customer_id,
        invoice_source,
        status <> 'draft' as is_billed,
        min(period_start) as period_start,
        max(period_end) as period_end,
    from query_table(lines)
    where status <> 'void'
    group by all
),

entries as materialized (
    from credit_entries() where entry_type in ('decrement', 'amendment')
),

draws as (
    select entries.*, invoices.is_billed
    from entries
    inner join invoices using (invoice_id)
    where entries.entry_type = 'decrement'
),

overdrawn as (
    select invoice_id, arg_max(price_id, amount) as price_id
    from (
        select invoice_id, price_id, sum(amount) as amount
        from (
            select invoice_id, price_id, -amount as amount from draws
            union all
            select invoice_id, price_id, -credits_applied_amount from query_table(lines)
        )
        group by all
        having sum(amount) > 0
    )
    group by invoice_id
),

amendments as (
    select entries.* replace (overdrawn.price_id as price_id), invoices.is_billed
    from entries
    inner join invoices
        on
            entries.customer_id = invoices.customer_id
            and entries.entry_date >= invoices.period_start
            and entries.entry_date < invoices.period_end
            and invoices.invoice_source = 'subscription'
    left join overdrawn on invoices.invoice_id = overdrawn.invoice_id
    where entries.entry_type = 'amendment'
)

select
    drawn.ledger_entry_id,
    drawn.customer_id,
    items.product_id,
    drawn.price_id,
    drawn.currency,
    -drawn.amount as amount,
    drawn.paid_amount - drawn.amount as unpaid_amount,
    drawn.is_billed,
    drawn.entry_date,
from (from draws union all from amendments) as drawn
left join objects('raw_orb.prices', '{"item": {"id": "varchar"}}') as prices on drawn.price_id = prices.object_id
left join items() as items on prices.item.id = items.item_id;

-- A credit note names the item and repeats the line's name, but not its id.
create temp macro credit_note_lines(lines) as table
select
    notes.object_id as credit_note_id,
    lines.invoice_id,
    lines.customer_id,
    lines.product_id,
    lines.price_id,
    lines.currency,
    notes.line.amount,
    added([each.amount for each in notes.line.tax_amounts]) as tax_amount,
    notes.type as credit_note_type,
    notes.created_at::date as noted_on,
from (
    select *, unnest(line_items) as line
    from objects('raw_orb.credit_notes', '{
        "invoice_id": "varchar",
        "type": "varchar",
        "line_items": [{
            "id": "varchar",
            "item_id": "varchar",
            "name": "varchar",
            "amount": "decimal(38, 9)",
            "tax_amounts": [{"amount": "decimal(38, 9)"}]
        }],
        "created_at": "timestamp"
    }')
    where not is_gone
) as notes
inner join query_table(lines) as lines on notes.invoice_id = lines.invoice_id and notes.line.item_id = lines.item_id
where lines.status not in ('draft', 'void')
qualify row_number() over (
    partition by notes.object_id, notes.line.id
    order by lines.line_name <> notes.line.name, lines.adjusted_amount desc, lines.invoice_line_id
) = 1;

-- What the lines of customers come to, minimums apart, and the days of service that it is for. Of a draft what is used so far, and fees.
create temp macro parts(lines) as table
with lines_of_service as (
    select
        *,
        status <> 'draft' as is_billed,
        case when period_end > period_start then period_end - 1 else period_start end as last_day,
    from query_table(lines)
    where status <> 'void' and line_kind <> 'prepaid_credit'
)

select
    invoice_line_id,
    invoice_id,
    customer_id,
    product_id,
    price_id,
    line_kind as revenue_kind,
    currency,
    adjusted_amount - minimum_amount as amount,
    discount_amount,
    is_billed,
    case when is_billed then invoice_date end as invoice_date,
    period_start as first_day,
    case when is_billed or line_kind <> 'usage' then last_day else least(last_day, known_on()) end as last_day,
from lines_of_service
where (adjusted_amount <> minimum_amount or discount_amount <> 0) and (is_billed or line_kind in ('usage', 'fixed_fee'))
union all
select
    invoice_line_id,
    invoice_id,
    customer_id,
    product_id,
    price_id,
    'minimum',
    currency,
    minimum_amount,
    0,
    is_billed,
    invoice_date,
    period_start,
    last_day,
from lines_of_service
where minimum_amount <> 0 and is_billed;

-- `weighted`: parts with a weight for each of their days. What is earned to date is rounded, so that the days add up to the part.
create temp macro earned(weighted) as table
with shares as (
    select
        *,
        sum(weight) over (partition by invoice_line_id, revenue_kind order by revenue_date)::decimal(38, 9) as weight_to_date,
        sum(weight) over (partition by invoice_line_id, revenue_kind)::decimal(38, 9) as weight_of_part,
    from query_table(weighted)
),

to_date as (
    select
        *,
        to_minor_unit(quotient((amount * weight_to_date)::decimal(38, 9), weight_of_part), currency) as amount_to_date,
        to_minor_unit(quotient((discount_amount * weight_to_date)::decimal(38, 9), weight_of_part), currency) as discount_to_date,
    from shares
),

by_day as materialized (
    select
        * exclude (amount, discount_amount),
        amount_to_date - lag(amount_to_date, 1, 0) over part as amount,
        discount_to_date - lag(discount_to_date, 1, 0) over part as discount_amount,
    from to_date
    window part as (partition by invoice_line_id, revenue_kind order by revenue_date)
)

select
    invoice_line_id,
    invoice_id,
    customer_id,
    product_id,
    price_id,
    revenue_kind,
    currency,
    amount + discount_amount as amount,
    is_billed,
    invoice_date,
    revenue_date,
from by_day
where is_billed or revenue_date <= known_on()
union all
select
    invoice_line_id,
    invoice_id,
    customer_id,
    product_id,
    price_id,
    'discount',
    currency,
    -discount_amount,
    is_billed,
    invoice_date,
    revenue_date,
from by_day
where discount_amount <> 0;

create temp macro fee_days(parts) as table
with weighted as (
    select *, unnest(generate_series(first_day, last_day, interval 1 day))::date as revenue_date, 1 as weight
    from query_table(parts)
    where revenue_kind <> 'usage'
)

from earned('weighted');

-- `used`: usage by product. A line without a metered day stands on its last one.
create temp macro line_days(lines, used) as table
with billed as materialized (
    from parts(lines)
),

used_days as (
    select customer_id, product_id, usage_date, sum(quantity) as quantity
    from query_table(used)
    group by all
    having sum(quantity) > 0
),

weighted as (
    select billed.*, coalesce(used_days.usage_date, billed.last_day) as revenue_date, coalesce(used_days.quantity, 1) as weight
    from billed
    left join used_days
        on
            billed.customer_id = used_days.customer_id
            and billed.product_id = used_days.product_id
            and used_days.usage_date between billed.first_day and billed.last_day
    where billed.revenue_kind = 'usage'
    union all
    select *, unnest(generate_series(first_day, last_day, interval 1 day))::date, 1
    from billed
    where revenue_kind <> 'usage'
)

from earned('weighted');

create temp macro revenue(used) as table
with lines as materialized (
    from customers_lines()
),

recognised as (
    select customer_id, product_id, price_id, revenue_kind, currency, amount, is_billed, revenue_date
    from line_days('lines', used)
    where revenue_date <= known_on()
    union all
    select customer_id, product_id, price_id, 'credit_note', currency, -amount, true, noted_on
    from credit_note_lines('lines')
    union all
    select customer_id, product_id, price_id, 'promotional_credit', currency, -unpaid_amount, is_billed, entry_date
    from credit_draws('lines')
    union all
    select customer_id, null, null, 'breakage', currency, -paid_amount, true, entry_date
    from credit_entries()
    where entry_type = 'credit_block_expiry'
),

summed as (
    select * replace (sum(amount)::decimal(38, 9) as amount)
    from recognised
    group by all
    having sum(amount) <> 0
)

select
    summed.*,
    rate(summed.currency, rates.exchange_rate) as exchange_rate,
    rate_source(summed.currency, rates.exchange_rate_source) as exchange_rate_source,
    in_dollars(summed.amount, summed.currency, rates.exchange_rate) as reporting_amount,
from summed
left join rates() as rates on summed.currency = rates.currency and summed.revenue_date = rates.rate_date;

-- `used`: usage by product. Months of customers, from their first revenue to the newest month of usage, and what led from one to the
-- next: as much as now at last month's prices, then at today's, then at today's exchange rates.
create temp macro revenue_movements(used) as table
with earned_months as (
    select
        customer_id,
        coalesce(product_id, '') as product_id,
        currency,
        date_trunc('month', revenue_date)::date as month_start,
        sum(amount)::decimal(38, 9) as amount,
        sum(reporting_amount)::decimal(38, 9) as reporting_amount,
    from revenue(used)
    where revenue_kind not in ('credit_note', 'breakage')
    group by all
),

used_months as (
    select customer_id, product_id, date_trunc('month', usage_date)::date as month_start, sum(quantity)::decimal(38, 9) as quantity
    from query_table(used)
    group by all
),

lives as (
    select
        customer_id,
        unnest(generate_series(min(month_start), (select max(month_start) from used_months), interval 1 month))::date as month_start,
    from earned_months
    where amount <> 0 or reporting_amount <> 0
    group by customer_id
),

months as (
    select
        customer_id,
        product_id,
        currency,
        month_start,
        coalesce(quantity, 0) as quantity,
        coalesce(amount, 0) as amount,
        coalesce(reporting_amount, 0) as reporting_amount,
    from (select distinct customer_id, product_id, currency from earned_months)
    inner join lives using (customer_id)
    left join earned_months using (customer_id, product_id, currency, month_start)
    left join used_months using (customer_id, product_id, month_start)
),

months_before as (
    select
        *,
        lag(quantity, 1, 0) over earlier as quantity_before,
        lag(amount, 1, 0) over earlier as amount_before,
        lag(reporting_amount, 1, 0) over earlier as reporting_amount_before,
        sum(amount) over (partition by customer_id, currency, month_start) as amount_in_currency,
    from months
    window earlier as (partition by customer_id, product_id, currency order by month_start)
),

steps as (
    select
        *,
        case
            when amount_before = 0 then reporting_amount
            when quantity_before > 0 then scaled(reporting_amount_before, quantity, quantity_before)
            when amount = 0 then 0
            else reporting_amount_before
        end as at_last_prices,
        case
            when amount_before = 0 or currency = 'USD' then reporting_amount
            else scaled(reporting_amount_before, amount, amount_before)
        end as at_last_rates,
    from months_before
),

customers as (
    select
        customer_id,
        month_start,
        max(amount_in_currency) > 0 as is_active,
        sum(reporting_amount_before)::decimal(38, 9) as opening_amount,
        sum(at_last_prices - reporting_amount_before)::decimal(38, 9) as volume_amount,
        sum(at_last_rates - at_last_prices)::decimal(38, 9) as price_amount,
        sum(reporting_amount - at_last_rates)::decimal(38, 9) as exchange_rate_amount,
        sum(reporting_amount)::decimal(38, 9) as closing_amount,
    from steps
    group by customer_id, month_start
),

customers_before as (
    select
        *,
        closing_amount - opening_amount as change_amount,
        opening_amount + volume_amount + price_amount as at_last_rates_amount,
        min(month_start) filter (is_active) over (partition by customer_id) as cohort_start,
        lag(is_active, 1, false) over life as was_active,
        lag(is_active, 12, false) over life as was_active_a_year_ago,
        lag(closing_amount, 12) over life as closing_a_year_ago,
    from customers
    window life as (partition by customer_id order by month_start)
),

moved as (
    select
        *,
        case
            when is_active and month_start = cohort_start then 'new'
            when is_active and not was_active then 'reactivation'
            when was_active and not is_active then 'churn'
            when not is_active then 'inactive'
            when at_last_rates_amount > opening_amount then 'expansion'
            when at_last_rates_amount < opening_amount then 'contraction'
            else 'unchanged'
        end as movement,
        is_active = was_active as is_as_before,
    from customers_before
)

select
    customer_id,
    month_of(cohort_start) as cohort,
    month_of(month_start) as period,
    movement,
    opening_amount,
    case when movement = 'new' then change_amount else 0 end as new_amount,
    case when movement = 'reactivation' then change_amount else 0 end as reactivation_amount,
    case when is_as_before then greatest(volume_amount, 0) else 0 end as expansion_amount,
    case when is_as_before then least(volume_amount, 0) else 0 end as contraction_amount,
    case when is_as_before then price_amount else 0 end as price_change_amount,
    case when is_as_before then exchange_rate_amount else 0 end as exchange_rate_change_amount,
    case when movement = 'churn' then change_amount else 0 end as churn_amount,
    closing_amount,
    case when was_active then opening_amount else 0 end as base_amount,
    case
        when not was_active then 0
        when is_active then least(at_last_rates_amount, opening_amount)
        else closing_amount
    end as gross_retained_amount,
    case
        when not was_active then 0
        when is_active then at_last_rates_amount
        else closing_amount
    end as net_retained_amount,
    case when was_active_a_year_ago then closing_a_year_ago else 0 end as year_base_amount,
    case when was_active_a_year_ago then least(closing_amount, closing_a_year_ago) else 0 end as year_gross_retained_amount,
    case when was_active_a_year_ago then closing_amount else 0 end as year_net_retained_amount,
    is_active,
from moved;

-- What is open of each invoice, from each day on which that changes. Money counts when Stripe's balance has it.
create temp macro receivable_balances() as table
with invoices as materialized (
    select
        invoice_id,
        customer_id,
        status,
        upper(currency) as currency,
        amount_due,
        invoice_date::date as invoice_date,
        coalesce(due_date, invoice_date)::date as due_date,
        voided_at::date as voided_on,
    from orb_invoices()
    where status <> 'draft' and issued_at is not null and customer_id not in (select customer_id from internal_customers())
),

changes as (
    select invoice_id, amount_due as amount, invoice_date as changed_on from invoices
    union all
    select invoice_id, -amount_due, voided_on from invoices where status = 'void'
    union all
    select invoice_id, -amount_captured, transactions.created_at::date
    from charges()
    inner join balance_transactions() as transactions using (balance_transaction_id)
    union all
    select invoice_id, -total, created_at::date
    from objects('raw_orb.credit_notes', '{
        "invoice_id": "varchar", "type": "varchar", "total": "decimal(38, 9)", "created_at": "timestamp"
    }')
    where not is_gone and type = 'adjustment'
),

days as (
    select
        invoices.invoice_id,
        invoices.customer_id,
        invoices.currency,
        sum(changes.amount)::decimal(38, 9) as change_amount,
        invoices.invoice_date,
        invoices.due_date,
        changes.changed_on as valid_from,
    from changes
    inner join invoices using (invoice_id)
    group by all
    having sum(changes.amount) <> 0
)

select
    *,
    (sum(change_amount) over life)::decimal(38, 9) as open_amount,
    lead(valid_from) over life as valid_to,
from days
window life as (partition by invoice_id order by valid_from);

create temp macro leg(account_id, customer_id, product_id, currency, amount) as {
    'account_id': account_id,
    'customer_id': customer_id::varchar,
    'product_id': product_id::varchar,
    'currency': currency,
    'amount': amount::decimal(38, 9)
};

-- The lines of entries. `days`: what the lines of customers have earned, day by day or all of a month's usage on its last day.
create temp macro journal(lines, days) as table
with still_to_come as (
    select invoice_line_id, sum(amount) as amount
    from query_table(days)
    where is_billed and revenue_date >= invoice_date
    group by invoice_line_id
),

invoiced as (
    select
        billed.*,
        adjusted_amount - credits_applied_amount as net_amount,
        case when line_kind = 'prepaid_credit' then adjusted_amount else 0 end as prepaid_amount,
        case when status = 'void' then net_amount else coalesce(still_to_come.amount, 0) end as deferred_amount,
    from query_table(lines) as billed
    left join still_to_come using (invoice_line_id)
    where status <> 'draft'
),

issued_and_voided as (
    select *, 'invoice' as entry_kind, 1 as sign, invoice_date as entry_date from invoiced
    union all
    select *, 'invoice_void', -1, voided_on from invoiced where status = 'void'
),

payments as materialized (
    select
        *,
        case
            when customer_id in (select customer_id from internal_customers()) then 'internal_tenants'
            when invoice_id is not null then 'accounts_receivable'
            when purpose = 'top_up' then 'top_ups_to_grant'
            else 'unapplied_cash'
        end as account_id,
    from charges()
),

disputes as (
    select disputes.object_id, disputes.status, payments.customer_id, payments.invoice_id, payments.account_id
    from objects('raw_stripe.disputes', '{"charge": "varchar", "status": "varchar"}') as disputes
    inner join payments on disputes.charge = payments.payment_id
),

moved as (
    select 'payment' as entry_kind, payment_id as source_id, customer_id, account_id from payments
    union all
    select
        'refund', refunds.object_id, customer_id,
        case when account_id in ('internal_tenants', 'unapplied_cash') then account_id else 'refunds_payable' end,
    from objects('raw_stripe.refunds', '{"charge": "varchar"}') as refunds
    inner join payments on refunds.charge = payments.payment_id
    union all
    select 'dispute', object_id, customer_id, case when account_id = 'internal_tenants' then account_id else 'disputes' end
    from disputes
),

entries as (
    select
        'earned' as entry_kind,
        invoice_id || '/' || strftime(revenue_date, '%Y-%m-%d') as entry_key,
        invoice_id as document_id,
        revenue_date as entry_date,
        [
            leg(
                case when not is_billed or revenue_date < invoice_date then 'unbilled_receivable' else 'deferred_revenue' end,
                customer_id, product_id, currency, amount
            ),
            leg(case when revenue_kind = 'discount' then 'discounts' else 'revenue' end, customer_id, product_id, currency, -amount),
        ] as legs,
    from query_table(days)
    where revenue_date <= known_on()
    union all
    select
        entry_kind,
        invoice_id,
        invoice_id,
        entry_date,
        [
            leg('accounts_receivable', customer_id, null, currency, sign * (net_amount + tax_amount)),
            leg('unbilled_receivable', customer_id, product_id, currency, sign * (deferred_amount + prepaid_amount - net_amount)),
            leg('top_ups_to_grant', customer_id, null, currency, -sign * prepaid_amount),
            leg('deferred_revenue', customer_id, product_id, currency, -sign * deferred_amount),
            leg('taxes_payable', customer_id, null, currency, -sign * tax_amount),
        ],
    from issued_and_voided
    union all
    select
        'credit_note',
        credit_note_id,
        credit_note_id,
        noted_on,
        [
            leg('credit_notes', customer_id, product_id, currency, amount),
            leg('taxes_payable', customer_id, null, currency, tax_amount),
            leg(
                case
                    when credit_note_type = 'adjustment' then 'accounts_receivable'
                    when invoice_id in (select invoice_id from disputes where status = 'lost') then 'disputes'
                    else 'refunds_payable'
                end,
                customer_id, null, currency, -amount - tax_amount
            ),
        ],
    from credit_note_lines(lines)
    union all
    select
        'credit_use',
        ledger_entry_id,
        ledger_entry_id,
        entry_date,
        [
            leg('unbilled_receivable', customer_id, product_id, currency, -amount),
            leg('promotional_credit', customer_id, product_id, currency, unpaid_amount),
            leg('credit_liability', customer_id, null, currency, amount - unpaid_amount),
        ],
    from credit_draws(lines)
    union all
    select
        case entry_type when 'increment' then 'credit_grant' else 'credit_void' end,
        ledger_entry_id,
        ledger_entry_id,
        entry_date,
        [
            leg(
                case
                    when entry_type = 'increment' then 'top_ups_to_grant'
                    when credit_block_id in (from refunded_blocks()) then 'refunds_payable'
                    else 'disputes'
                end,
                customer_id, null, currency, paid_amount
            ),
            leg('credit_liability', customer_id, null, currency, -paid_amount),
        ],
    from credit_entries()
    where entry_type in ('increment', 'void')
    union all
    select
        'breakage',
        credit_block_id || '/' || rtrim(rtrim(cost_basis::varchar, '0'), '.') || '/' || strftime(entry_date, '%Y-%m-%d'),
        credit_block_id,
        entry_date,
        [
            leg('credit_liability', customer_id, null, currency, -paid_amount),
            leg('breakage_revenue', customer_id, null, currency, paid_amount),
        ],
    from credit_entries()
    where entry_type = 'credit_block_expiry'
    union all
    select
        coalesce(entry_kind, 'payout'),
        balance_transaction_id,
        balance_transaction_id,
        created_at::date,
        [
            leg('stripe_clearing', null, null, currency, net_amount),
            leg('processing_fees', customer_id, null, currency, fee_amount),
            leg('currency_conversion', customer_id, null, currency, -gross_amount),
            leg('currency_conversion', customer_id, null, presentment_currency, presentment_amount),
            leg(coalesce(account_id, 'payouts_in_transit'), customer_id, null, presentment_currency, -presentment_amount),
        ],
    from presented_transactions()
    left join moved using (source_id)
    union all
    select
        'deposit',
        object_id,
        object_id,
        booked_on,
        [
            leg('cash', null, null, upper(currency), amount),
            leg('payouts_in_transit', null, null, upper(currency), -amount),
        ],
    from objects('raw_bank.statement_lines', '{"booked_on": "date", "amount": "decimal(38, 9)", "currency": "varchar"}')
    where not is_gone and amount > 0
)

select * replace (sum(amount)::decimal(38, 9) as amount)
from (select entry_kind, entry_key, document_id, entry_date, unnest(legs, recursive := true) from entries)
group by all
having sum(amount) <> 0;
