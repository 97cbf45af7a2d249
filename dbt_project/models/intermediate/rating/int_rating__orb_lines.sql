{{ config(materialized='table') }}

with issued as (

    select
        invoices.invoice_id,
        invoices.invoice_date,
        coalesce(subscriptions.billing_cycle_day, 1) as billing_cycle_day,
    from {{ ref('fct_invoices') }} as invoices
    left join {{ ref('stg_orb__subscriptions') }} as subscriptions on invoices.orb_subscription_id = subscriptions.subscription_id
    where invoices.status in ('issued', 'synced', 'paid') and invoices.invoice_source = 'subscription'

),

billed as (

    -- what begins with its invoice or after it is no part of the period that the invoice bills
    select
        lines.*,
        coalesce(lines.period_start >= issued.invoice_date, false) as is_in_advance,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join issued on lines.invoice_id = issued.invoice_id
    where lines.line_kind <> 'prepaid_credit'

)

select
    lines.invoice_line_id,
    lines.invoice_id,
    lines.customer_id,
    -- a line whose item the product does not know goes by its price
    coalesce(lines.product_id, lines.price_id) as product_id,
    products.metric,
    lines.price_id,
    {{ rating_price_key('lines.price_model', 'details.price_config') }} as price_key,
    lines.line_kind,
    lines.price_model,
    details.price_config,
    details.sub_line_items,
    lines.currency,
    lines.quantity,
    lines.subtotal_amount,
    lines.adjusted_amount,
    issued.billing_cycle_day,
    issued.invoice_date,
    lines.period_start,
    lines.period_end,
    coalesce(details.item_id <> prices.item_id, false) as is_of_other_item,
    lines.is_in_advance,
    case
        when lines.is_in_advance then lines.period_start
        else min(lines.period_start) over (partition by lines.invoice_id, lines.is_in_advance)
    end as billing_start,
    case
        when lines.is_in_advance then lines.period_end
        else max(lines.period_end) over (partition by lines.invoice_id, lines.is_in_advance)
    end as billing_end,
from billed as lines
inner join issued on lines.invoice_id = issued.invoice_id
inner join {{ ref('stg_orb__invoice_lines') }} as details on lines.invoice_line_id = details.invoice_line_id
inner join {{ ref('stg_app__customers') }} as customers on lines.customer_id = customers.customer_id
left join {{ ref('stg_orb__prices') }} as prices on lines.price_id = prices.price_id
left join {{ ref('dim_products') }} as products on lines.product_id = products.product_id
