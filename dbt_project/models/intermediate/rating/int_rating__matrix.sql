with attempts as (

    select
        attempts.attempt_id,
        attempts.attempt,
        attempts.price_key,
        attempts.quantity,
        charges.customer_id,
        charges.metric,
        charges.invoice_line_id,
        charges.period_start,
        charges.period_end,
    from {{ ref('int_rating__attempts') }} as attempts
    inner join {{ ref('int_rating__charges') }} as charges on attempts.charge_id = charges.charge_id
    where attempts.price_model = 'matrix'

),

usage_days as (

    select
        customer_id,
        metric,
        model,
        {{ truncate_date('month', 'usage_date') }} as usage_month,
        usage_date,
        quantity,
    from {{ ref('fct_usage_daily') }}
    where quantity <> 0

),

splits as (

    -- what the product counted for each model; joined by month like the metered quantity of a charge
    select
        attempts.attempt_id,
        'product' as split_by,
        used.model,
        {{ sum_decimal('used.quantity') }} as quantity,
    from attempts
    cross join {{ month_series('attempts.period_start', add_to_date('day', -1, 'attempts.period_end'), 'attempt_month') }}
    inner join usage_days as used
        on
            attempts.customer_id = used.customer_id
            and attempts.metric = used.metric
            and used.usage_month = attempt_month
    where used.usage_date >= attempts.period_start and used.usage_date < attempts.period_end
    group by attempts.attempt_id, used.model
    union all
    -- and what Orb's line says of it
    select
        attempts.attempt_id,
        'orb' as split_by,
        {{ json_text('part', '$.matrix_config.dimension_values[0]') }} as model,
        {{ to_decimal(json_text('part', '$.quantity')) }} as quantity,
    from attempts
    inner join {{ ref('int_rating__orb_lines') }} as lines on attempts.invoice_line_id = lines.invoice_line_id
    {{ unnest_json_array('lines.sub_line_items', '$', 'part', 'part_offset') }}

),

split_totals as (

    select
        attempt_id,
        split_by,
        {{ sum_decimal('quantity') }} as quantity,
    from splits
    group by attempt_id, split_by

),

chosen as (

    -- only a split that comes to the rated quantity counts, and the product's own counts first
    select
        attempts.attempt_id,
        attempts.price_key,
        split_totals.split_by,
    from attempts
    inner join split_totals on attempts.attempt_id = split_totals.attempt_id and attempts.quantity = split_totals.quantity
    qualify row_number() over (partition by attempts.attempt_id order by split_totals.split_by desc) = 1

),

cells as (

    select
        prices.price_key,
        {{ json_text('cell', '$.dimension_values[0]') }} as model,
        {{ to_big_decimal(json_text('cell', '$.unit_amount')) }} as unit_amount,
    from {{ ref('int_rating__prices') }} as prices
    {{ unnest_json_array('prices.price_config', '$.matrix_values', 'cell', 'cell_offset') }}
    where prices.price_model = 'matrix'

)

select
    chosen.attempt_id,
    {{ sum_big_decimal(big_multiply('splits.quantity', 'coalesce(cells.unit_amount, prices.default_unit_amount)')) }} as amount,
from chosen
inner join splits on chosen.attempt_id = splits.attempt_id and chosen.split_by = splits.split_by
inner join {{ ref('int_rating__prices') }} as prices on chosen.price_key = prices.price_key
left join cells on chosen.price_key = cells.price_key and splits.model = cells.model
group by chosen.attempt_id
