with sold_credit as (

    -- Orb names the invoice on the grant, not the grant on the invoice; a grant that is gone was sold all the same
    select distinct created_invoice_id as invoice_id
    from {{ ref('stg_orb__credit_ledger') }}
    where created_invoice_id is not null

)

select
    lines.invoice_line_id,
    lines.invoice_id,
    lines.external_customer_id as customer_id,
    items.product_code as product_id,
    lines.price_id,
    case
        when lines.price_type = 'usage_price' then 'usage'
        when lines.price_type = 'composite_price' then 'percent_fee'
        when sold_credit.invoice_id is not null then 'prepaid_credit'
        when lines.subtotal_amount = 0 and lines.minimum_adjustment_amount <> 0 then 'minimum'
        else 'fixed_fee'
    end as line_kind,
    lines.model_type as price_model,
    lines.currency,
    {{ to_decimal('lines.quantity') }} as quantity,
    lines.subtotal_amount,
    {{ to_decimal(
        'lines.usage_discount_amount + lines.amount_discount_amount + lines.percentage_discount_amount + lines.maximum_adjustment_amount'
    ) }} as discount_amount,
    lines.minimum_adjustment_amount as minimum_amount,
    lines.adjusted_subtotal_amount as adjusted_amount,
    lines.credits_applied_amount,
    lines.tax_amount,
    lines.amount,
    {{ date_of('lines.period_start_at') }} as period_start,
    -- the period ends before this day, also when it was cut short in the middle of one
    {{ add_to_date('day', 1, date_of(add_to_timestamp('second', -1, 'lines.period_end_at'))) }} as period_end,
    {{ certified_through() }} as certified_through,
from {{ ref('stg_orb__invoice_lines') }} as lines
left join sold_credit on lines.invoice_id = sold_credit.invoice_id
left join {{ ref('stg_orb__items') }} as items on lines.item_id = items.item_id
where not lines.is_deleted
