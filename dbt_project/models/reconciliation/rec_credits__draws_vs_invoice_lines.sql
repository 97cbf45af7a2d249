with invoices as (

    select * from {{ ref('fct_invoices') }}

),

movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

applied as (

    -- drafts change until they are issued, and what a voided invoice was paid with is not its any more
    select
        lines.invoice_id,
        lines.price_id,
        lines.customer_id,
        lines.currency,
        invoices.invoice_date,
        min(case when lines.line_kind = 'usage' then lines.period_start end) as period_start,
        max(case when lines.line_kind = 'usage' then lines.period_end end) as period_end,
        {{ sum_decimal('lines.credits_applied_amount') }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join invoices on lines.invoice_id = invoices.invoice_id
    where invoices.status in ('issued', 'synced', 'paid')
    group by lines.invoice_id, lines.price_id, lines.customer_id, lines.currency, invoices.invoice_date

),

drawn as (

    -- a draw without an invoice is a deduction by hand, not usage; an invoice that Orb does not have is lacking once, not price by price
    select
        movements.invoice_id,
        case when invoices.invoice_id is not null then movements.price_id end as price_id,
        movements.customer_id,
        movements.currency,
        coalesce(invoices.invoice_date, max({{ date_of('movements.created_at') }})) as invoice_date,
        {{ sum_decimal('-movements.movement') }} as amount,
    from movements
    left join invoices on movements.invoice_id = invoices.invoice_id
    where
        movements.entry_type = 'decrement'
        and movements.invoice_id is not null
        and coalesce(invoices.status, 'issued') in ('issued', 'synced', 'paid')
    group by
        movements.invoice_id, case when invoices.invoice_id is not null then movements.price_id end, movements.customer_id,
        movements.currency, invoices.invoice_date

),

billed as (

    -- nor is an invoice that nothing was drawn for
    select
        applied.invoice_id,
        case when drawn.invoice_id is not null or count(*) over (partition by applied.invoice_id) = 1 then applied.price_id end as price_id,
        applied.customer_id,
        applied.currency,
        applied.invoice_date,
        applied.amount,
    from applied
    left join (select distinct invoice_id from drawn) as drawn on applied.invoice_id = drawn.invoice_id
    where applied.amount <> 0

),

invoice_periods as (

    select
        invoice_id,
        customer_id,
        currency,
        min(period_start) as period_start,
        max(period_end) as period_end,
    from applied
    group by invoice_id, customer_id, currency
    having sum(amount) <> 0

),

given_back as (

    -- credit that returns when a volume price falls names neither invoice nor price: it is looked for where more was drawn than applied
    select
        periods.invoice_id,
        {{ sum_decimal('movements.movement') }} as amount,
    from movements
    inner join invoice_periods as periods
        on
            movements.customer_id = periods.customer_id
            and movements.currency = periods.currency
            and {{ date_of('movements.created_at') }} >= periods.period_start
            and {{ date_of('movements.created_at') }} < periods.period_end
    where movements.entry_type = 'amendment'
    group by periods.invoice_id

),

overdrawn as (

    select
        drawn.invoice_id,
        drawn.price_id,
        drawn.amount - coalesce(applied.amount, 0) as excess,
        coalesce(given_back.amount, 0) as given_back,
        sum(drawn.amount - coalesce(applied.amount, 0)) over (
            partition by drawn.invoice_id
            order by drawn.amount - coalesce(applied.amount, 0) desc, drawn.price_id
            rows between unbounded preceding and current row
        ) as excess_so_far,
    from drawn
    inner join given_back on drawn.invoice_id = given_back.invoice_id
    left join applied on drawn.invoice_id = applied.invoice_id and drawn.price_id = applied.price_id
    where drawn.amount > coalesce(applied.amount, 0)

),

left_side as (

    select
        case when drawn.price_id is null then drawn.invoice_id else concat(drawn.invoice_id, '/', drawn.price_id) end as ref,
        drawn.customer_id,
        {{ year_month('drawn.invoice_date') }} as period,
        drawn.currency,
        {{ to_decimal("""
            drawn.amount - case
                when overdrawn.excess_so_far <= overdrawn.given_back then overdrawn.excess
                when overdrawn.excess_so_far - overdrawn.excess < overdrawn.given_back
                    then overdrawn.given_back - (overdrawn.excess_so_far - overdrawn.excess)
                else 0
            end
        """) }} as amount,
        overdrawn.invoice_id is not null as was_given_back,
    from drawn
    left join overdrawn on drawn.invoice_id = overdrawn.invoice_id and drawn.price_id = overdrawn.price_id

),

right_side as (

    select
        case when price_id is null then invoice_id else concat(invoice_id, '/', price_id) end as ref,
        customer_id,
        {{ year_month('invoice_date') }} as period,
        currency,
        {{ sum_decimal('amount') }} as amount,
    from billed
    group by invoice_id, price_id, customer_id, invoice_date, currency

),

{{ reconcile(
    comparison='credits__draws_vs_invoice_lines',
    passes=[
        {'rule': 'invoice_and_price', 'on': 'r.ref = l.ref'},
    ],
    causes=[],
    evidence={
        'credit_was_given_back': 'cast(l.was_given_back as string)',
    },
    upstream={'credits__movements_vs_balances': -1, 'credits__ledger_vs_blocks': -1},
) }}
