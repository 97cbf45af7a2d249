{{ config(materialized='table') }}

with billed_parts as (

    -- a minimum is owed for the period, not for the usage it tops up: its part of a line is spread over the days
    {% for part in ['line', 'minimum'] -%}
    select
        lines.invoice_line_id,
        {{ 'lines.line_kind' if part == 'line' else "'minimum'" }} as revenue_kind,
        lines.customer_id,
        lines.product_id,
        lines.currency,
        lines.period_start,
        case
            when lines.period_end > lines.period_start then {{ add_to_date('day', -1, 'lines.period_end') }}
            else lines.period_start
        end as last_day,
        {{ 'lines.adjusted_amount - lines.minimum_amount' if part == 'line' else 'lines.minimum_amount' }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal
        and {{ 'lines.adjusted_amount <> lines.minimum_amount' if part == 'line' else 'lines.minimum_amount <> 0' }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

parts as (

    select
        *,
        {{ surrogate_key(['invoice_line_id', 'revenue_kind']) }} as part_id,
    from billed_parts

),

usage_days as (

    select
        used.customer_id,
        used.product_id,
        used.usage_date,
        {{ sum_decimal('used.quantity') }} as quantity,
    from {{ ref('fct_usage_daily') }} as used
    group by used.customer_id, used.product_id, used.usage_date
    having sum(used.quantity) > 0

),

metered_weights as (

    select
        parts.part_id,
        usage_days.usage_date as revenue_date,
        usage_days.quantity as weight,
    from parts
    inner join usage_days
        on
            parts.customer_id = usage_days.customer_id
            and parts.product_id = usage_days.product_id
            and usage_days.usage_date between parts.period_start and parts.last_day
    where parts.revenue_kind = 'usage'

),

weights as (

    select
        part_id,
        revenue_date,
        weight,
    from metered_weights
    union all
    -- money without a metered day would otherwise have no day to stand on
    select
        parts.part_id,
        parts.last_day as revenue_date,
        {{ decimal_literal('1') }} as weight,
    from parts
    left join metered_weights on parts.part_id = metered_weights.part_id
    where parts.revenue_kind = 'usage' and metered_weights.part_id is null
    union all
    select
        parts.part_id,
        day as revenue_date,
        {{ decimal_literal('1') }} as weight,
    from parts
    cross join {{ day_series('parts.period_start', 'parts.last_day', 'day') }}
    where parts.revenue_kind <> 'usage'

),

shares as (

    select
        part_id,
        revenue_date,
        {{ to_decimal('sum(weight) over (partition by part_id order by revenue_date rows between unbounded preceding and current row)') }} as weight_to_date,
        {{ to_decimal('sum(weight) over (partition by part_id)') }} as weight_of_part,
    from weights

),

earned as (

    -- rounding what is earned to date, not each day, makes the days add up to the line to the last minor unit
    select
        parts.invoice_line_id,
        parts.revenue_kind,
        parts.customer_id,
        parts.product_id,
        parts.currency,
        parts.part_id,
        shares.revenue_date,
        {{ round_to_minor_unit(divide(multiply('parts.amount', 'shares.weight_to_date'), 'shares.weight_of_part'), 'parts.currency') }} as amount_to_date,
    from shares
    inner join parts on shares.part_id = parts.part_id

)

select
    invoice_line_id,
    revenue_kind,
    customer_id,
    product_id,
    currency,
    {{ to_decimal('amount_to_date - coalesce(lag(amount_to_date) over (partition by part_id order by revenue_date), 0)') }} as amount,
    revenue_date,
from earned
