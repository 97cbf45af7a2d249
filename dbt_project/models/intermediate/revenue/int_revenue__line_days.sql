{{ config(materialized='table') }}

with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

lines as (

    select
        lines.*,
        invoices.status <> 'draft' as is_billed,
        case when invoices.status <> 'draft' then invoices.invoice_date end as invoice_date,
        case
            when lines.period_end > lines.period_start then {{ add_to_date('day', -1, 'lines.period_end') }}
            else lines.period_start
        end as last_day_of_service,
        known.known_on,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    cross join known
    -- credit that is sold is earned when it is used: its line would earn the same money once more
    where
        invoices.status in ('draft', 'issued', 'synced', 'paid')
        and not invoices.is_internal
        and lines.line_kind <> 'prepaid_credit'

),

billed_parts as (

    -- a minimum is owed for the period, not for the usage it tops up: its part of a line is spread over the days.
    -- What a draft says of minimums and of shares of its lines is not owed before the period is over
    {% for part in ['line', 'minimum'] -%}
    select
        invoice_line_id,
        invoice_id,
        customer_id,
        product_id,
        price_id,
        {{ 'line_kind' if part == 'line' else "'minimum'" }} as revenue_kind,
        currency,
        {{ 'adjusted_amount - minimum_amount' if part == 'line' else 'minimum_amount' }} as amount,
        {{ 'discount_amount' if part == 'line' else decimal_literal('0') }} as discount_amount,
        is_billed,
        invoice_date,
        period_start,
        -- a draft's usage so far was used by now
        case when not is_billed and line_kind = 'usage' then least(last_day_of_service, known_on) else last_day_of_service end as last_day,
        known_on,
    from lines
    where {{
        "(adjusted_amount <> minimum_amount or discount_amount <> 0) and (is_billed or line_kind in ('usage', 'fixed_fee'))"
        if part == 'line' else 'minimum_amount <> 0 and is_billed'
    }}
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

earned_to_date as (

    -- rounding what is earned to date, not each day, makes the days add up to the line to the last minor unit; on the last day all is earned
    select
        parts.*,
        shares.revenue_date,
        {% for amount in ['amount', 'discount_amount'] -%}
        case
            when parts.{{ amount }} = 0 or shares.weight_to_date = shares.weight_of_part then parts.{{ amount }}
            else {{ round_to_minor_unit(divide(multiply('parts.' ~ amount, 'shares.weight_to_date'), 'shares.weight_of_part'), 'parts.currency') }}
        end as {{ amount }}_to_date,
        {% endfor -%}
    from shares
    inner join parts on shares.part_id = parts.part_id

),

earned as (

    select
        *,
        {% for amount in ['amount', 'discount_amount'] -%}
        {{ amount }}_to_date - coalesce(lag({{ amount }}_to_date) over (partition by part_id order by revenue_date), 0) as {{ amount }}_of_day,
        {% endfor -%}
    from earned_to_date

),

elapsed as (

    -- days of a draft that are still to come are not owed by anybody; those of an invoice are deferred
    select * from earned
    where is_billed or revenue_date <= known_on

)

{% for part in ['line', 'discount'] -%}
select
    invoice_line_id,
    invoice_id,
    customer_id,
    product_id,
    price_id,
    {{ 'revenue_kind' if part == 'line' else "'discount'" }} as revenue_kind,
    currency,
    {{ to_decimal('amount_of_day + discount_amount_of_day' if part == 'line' else '-discount_amount_of_day') }} as amount,
    is_billed,
    invoice_date,
    revenue_date,
from elapsed
{{ 'union all' if not loop.last else 'where discount_amount <> 0' }}
{% endfor %}
