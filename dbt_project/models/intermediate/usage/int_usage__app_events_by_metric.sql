with events as (

    select * from {{ ref('int_usage__events_to_look_up') }}

),

quantities as (

    {{ events_by_metric('events', ['event_id', 'customer_id', 'event_name', 'usage_date', 'batch_id', 'occurred_at', 'recorded_at']) }}

),

invoiced as (

    -- the invoice that the day belongs to, and the one after it; a voided one had been issued too, unless another took its place
    select
        lines.customer_id,
        lines.period_start,
        lines.period_end,
        coalesce(
            min(case when invoices.status not in ('draft', 'void') then invoices.issued_at end),
            min(case when invoices.status = 'void' then invoices.issued_at end)
        ) as issued_at,
        max(invoices.invoice_date) as invoice_date,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where lines.line_kind = 'usage'
    group by lines.customer_id, lines.period_start, lines.period_end

),

in_turn as (

    select
        *,
        lead(issued_at) over (partition by customer_id order by period_start, period_end) as next_issued_at,
        lead(invoice_date) over (partition by customer_id order by period_start, period_end) as next_invoice_date,
    from invoiced

),

undone as (

    -- a backfill without a customer is the account's
    select
        events.event_id,
        max(backfills.backfill_id) as reverted_backfill_id,
    from events
    cross join {{ ref('stg_orb__backfills') }} as backfills
    left join {{ ref('dim_customers') }} as customers on events.customer_id = customers.customer_id
    where
        not backfills.is_deleted
        and backfills.reverted_at is not null
        and events.occurred_at >= backfills.timeframe_start_at
        and events.occurred_at < backfills.timeframe_end_at
        and coalesce(backfills.customer_id, customers.orb_customer_id) = customers.orb_customer_id
    group by events.event_id

)

select
    concat(quantities.customer_id, '/', quantities.metric, '/', {{ iso_date('quantities.usage_date') }}, '/', quantities.event_id) as event_metric_id,
    quantities.event_id,
    quantities.customer_id,
    quantities.event_name,
    quantities.metric,
    quantities.usage_date,
    quantities.quantity,
    undone.reverted_backfill_id,
    days.has_tied_before,
    in_turn.next_invoice_date,
    quantities.batch_id,
    cast(quantities.occurred_at as timestamp) as occurred_at,
    cast(quantities.recorded_at as timestamp) as recorded_at,
    in_turn.issued_at,
    in_turn.next_issued_at,
from quantities
inner join {{ ref('int_usage__differing_days') }} as days
    on
        quantities.customer_id = days.customer_id
        and quantities.metric = days.metric
        and quantities.usage_date = days.usage_date
left join in_turn
    on
        quantities.customer_id = in_turn.customer_id
        and quantities.usage_date >= in_turn.period_start
        and quantities.usage_date < in_turn.period_end
left join undone on quantities.event_id = undone.event_id
