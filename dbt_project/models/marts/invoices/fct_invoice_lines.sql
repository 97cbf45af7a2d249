select
    lines.invoice_line_id,
    lines.invoice_id,
    lines.external_customer_id as customer_id,
    items.product_code as product_id,
    lines.price_id,
    case
        when lines.price_type = 'usage_price' then 'usage'
        when lines.price_type = 'composite_price' then 'percent_fee'
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
left join {{ ref('stg_orb__items') }} as items on lines.item_id = items.item_id
where not lines.is_deleted
