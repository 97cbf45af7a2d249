with invoices as (

    -- what a voided invoice was paid with is not its any more; credit pays for use, and a fee billed ahead is of another month
    select
        invoices.invoice_id,
        invoices.customer_id,
        invoices.invoice_source = 'subscription' as is_of_subscription,
        invoices.status <> 'draft' as is_billed,
        min(case when lines.line_kind = 'usage' then lines.period_start end) as period_start,
        max(case when lines.line_kind = 'usage' then lines.period_end end) as period_end,
    from {{ ref('fct_invoices') }} as invoices
    inner join {{ ref('fct_invoice_lines') }} as lines on invoices.invoice_id = lines.invoice_id
    where
        invoices.status in ('draft', 'issued', 'synced', 'paid')
        and not invoices.is_internal
    group by invoices.invoice_id, invoices.customer_id, invoices.invoice_source, invoices.status

),

draws as (

    select
        entries.*,
        invoices.is_billed,
    from {{ ref('fct_credit_ledger') }} as entries
    inner join invoices on entries.invoice_id = invoices.invoice_id
    where entries.entry_type = 'decrement'

),

differences as (

    select
        invoice_id,
        price_id,
        -amount as amount,
    from draws
    union all
    select
        invoice_id,
        price_id,
        -credits_applied_amount as amount,
    from {{ ref('fct_invoice_lines') }}

),

overdrawn as (

    select
        invoice_id,
        price_id,
    from differences
    group by invoice_id, price_id
    having sum(amount) > 0
    qualify row_number() over (partition by invoice_id order by sum(amount) desc, price_id) = 1

),

amendments as (

    select
        entries.*,
        invoices.invoice_id as amended_invoice_id,
        invoices.is_billed,
    from {{ ref('fct_credit_ledger') }} as entries
    inner join invoices
        on
            entries.customer_id = invoices.customer_id
            and {{ date_of('entries.created_at') }} >= invoices.period_start
            and {{ date_of('entries.created_at') }} < invoices.period_end
            and invoices.is_of_subscription
    where entries.entry_type = 'amendment'
    qualify row_number() over (partition by entries.ledger_entry_id order by invoices.invoice_id) = 1

),

attributed as (

    select
        ledger_entry_id,
        credit_block_id,
        invoice_id,
        price_id,
        customer_id,
        currency,
        amount,
        cost_basis,
        is_billed,
        created_at,
    from draws
    union all
    -- credit that returns when a volume price falls names neither the invoice nor the price: it was drawn where more was drawn than applied
    select
        amendments.ledger_entry_id,
        amendments.credit_block_id,
        amendments.amended_invoice_id as invoice_id,
        overdrawn.price_id,
        amendments.customer_id,
        amendments.currency,
        amendments.amount,
        amendments.cost_basis,
        amendments.is_billed,
        amendments.created_at,
    from amendments
    left join overdrawn on amendments.amended_invoice_id = overdrawn.invoice_id

)

select
    attributed.ledger_entry_id,
    attributed.credit_block_id,
    attributed.invoice_id,
    attributed.customer_id,
    items.product_code as product_id,
    attributed.price_id,
    attributed.currency,
    {{ to_decimal('-attributed.amount') }} as amount,
    {{ multiply('-attributed.amount', to_decimal('1 - coalesce(attributed.cost_basis, 0)')) }} as unpaid_amount,
    attributed.is_billed,
    {{ date_of('attributed.created_at') }} as draw_date,
from attributed
left join {{ ref('stg_orb__prices') }} as prices on attributed.price_id = prices.price_id
left join {{ ref('stg_orb__items') }} as items on prices.item_id = items.item_id
