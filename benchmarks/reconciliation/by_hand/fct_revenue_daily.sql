with invoices as (
    select
        object_id as invoice_id,
        payload ->> '$.customer.external_customer_id' as customer_id,
        payload ->> '$.invoice_source' as invoice_source,
    from newest('raw_orb.invoices')
    where
        not is_gone
        and payload ->> '$.status' in ('issued', 'synced', 'paid')
        and (payload ->> '$.customer.external_customer_id') not in (select customer_id from internal_customers())
),

products as materialized (
    select object_id as item_id, payload ->> '$.metadata.product_code' as product_id from newest('raw_orb.items')
),

lines as materialized (
    select
        lines.*,
        products.product_id,
        invoices.invoice_source,
        case when period_end > period_start then period_end - 1 else period_start end as last_day,
    from orb_lines() as lines
    inner join invoices using (invoice_id)
    left join products using (item_id)
),

parts as materialized (
    select *, key([invoice_line_id, revenue_kind]) as part_id
    from (
        select
            invoice_line_id, line_kind as revenue_kind, customer_id, product_id, currency, period_start, last_day,
            adjusted_amount - minimum_amount as amount,
        from lines
        union all
        select invoice_line_id, 'minimum', customer_id, product_id, currency, period_start, last_day, minimum_amount
        from lines
    )
    where amount <> 0
),

used as (
    select
        customer_id,
        event_name,
        occurred_at::date as usage_date,
        sum(input_tokens)::decimal(38, 9) as input_tokens,
        sum(output_tokens)::decimal(38, 9) as output_tokens,
        count(*)::decimal(38, 9) as requests,
        sum(megapixels)::decimal(38, 9) as megapixels,
        sum(video_seconds)::decimal(38, 9) as video_seconds,
        sum(gpu_seconds)::decimal(38, 9) as gpu_seconds,
    from newest_events()
    group by all
),

metered_days as (
    select customer_id, metered.product_id, usage_date, quantity
    from (unpivot used on input_tokens, output_tokens, requests, megapixels, video_seconds, gpu_seconds into name metric value quantity)
    inner join metered_products() as metered using (event_name, metric)
    where quantity > 0
),

metered as materialized (
    select part_id, usage_date as day, quantity as weight
    from parts
    inner join metered_days using (customer_id, product_id)
    where revenue_kind = 'usage' and usage_date between period_start and last_day
),

weights as (
    select part_id, day, weight from metered
    union all
    select part_id, last_day, 1 from parts where revenue_kind = 'usage' and part_id not in (select part_id from metered)
    union all
    select part_id, unnest(generate_series(period_start, last_day, interval 1 day))::date, 1
    from parts where revenue_kind <> 'usage'
),

to_date as (
    select
        part_id,
        day,
        sum(weight) over (partition by part_id order by day)::decimal(38, 9) as weight_to_date,
        sum(weight) over (partition by part_id)::decimal(38, 9) as weight_of_part,
    from weights
),

earned as (
    select
        revenue_kind,
        customer_id,
        product_id,
        currency,
        day,
        quotient((amount * weight_to_date)::decimal(38, 9), weight_of_part) as exact_to_date,
        case
            when currency = 'JPY' then round(exact_to_date)::decimal(38, 9)
            else round(exact_to_date, 2)::decimal(38, 9)
        end as amount_to_date,
        amount_to_date - coalesce(lag(amount_to_date) over (partition by part_id order by day), 0) as amount,
    from to_date
    inner join parts using (part_id)
),

issued as (
    select invoice_id, customer_id, min(period_start) as period_start, max(period_end) as period_end
    from lines
    where invoice_source = 'subscription'
    group by invoice_id, customer_id
),

promotional_entries as (
    select
        object_id,
        payload ->> '$.entry_type' as entry_type,
        payload ->> '$.customer.external_customer_id' as customer_id,
        payload ->> '$.invoice_id' as invoice_id,
        payload ->> '$.price_id' as price_id,
        upper(payload ->> '$.currency') as currency,
        (payload ->> '$.amount')::decimal(38, 9) as amount,
        instant(payload ->> '$.created_at')::date as day,
    from newest('raw_orb.credit_ledger')
    where not is_gone and coalesce((payload ->> '$.credit_block.per_unit_cost_basis')::decimal(38, 18), 0) = 0
),

promotional as (
    select entries.customer_id, products.product_id, entries.currency, entries.amount, entries.day
    from promotional_entries as entries
    semi join issued on entries.invoice_id = issued.invoice_id
    left join (select object_id as price_id, payload ->> '$.item.id' as item_id from newest('raw_orb.prices')) as prices
        on entries.price_id = prices.price_id
    left join products on prices.item_id = products.item_id
    where entries.entry_type = 'decrement'
    union all
    select entries.customer_id, null, entries.currency, entries.amount, entries.day
    from promotional_entries as entries
    semi join issued
        on entries.customer_id = issued.customer_id and entries.day >= issued.period_start and entries.day < issued.period_end
    where entries.entry_type = 'amendment'
)

select
    key([customer_id, product_id, revenue_kind, currency, strftime(day, '%Y-%m-%d')]) as revenue_daily_id,
    customer_id,
    product_id,
    revenue_kind,
    currency,
    sum(amount) as amount,
    day as revenue_date,
from (
    select revenue_kind, customer_id, product_id, currency, amount, day from earned
    union all
    select 'promotional_credit', customer_id, product_id, currency, amount, day from promotional
)
group by customer_id, product_id, revenue_kind, currency, day
having sum(amount) <> 0
