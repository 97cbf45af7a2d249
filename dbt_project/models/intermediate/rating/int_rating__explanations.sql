{{ config(materialized='table') }}

{#- what may have gone wrong, in the order tried, as what is rated instead of the agreement. The first that gives Orb's amount
    explains it. -#}
{%- set agreed = {
    'exact_amount': 'agreed_amount',
    'amount_discount': 'amount_discount',
    'percentage_times': 1,
    'maximum_amount': 'maximum_amount',
} -%}
{%- set ways = {
    'orb_price': {'exact_amount': 'orb_price_amount'},
    'without_allowance': {'exact_amount': 'without_allowance_amount'},
    'without_usage_discount': {'exact_amount': 'without_usage_discount_amount'},
    'usage_discount_twice': {'exact_amount': 'usage_discount_twice_amount'},
    'lapsed_usage_discount': {'exact_amount': 'lapsed_usage_discount_amount'},
    'without_amount_discount': {'amount_discount': '0'},
    'amount_discount_twice': {'amount_discount': '2 * amount_discount'},
    'lapsed_amount_discount': {'amount_discount': 'amount_discount + lapsed_amount_discount'},
    'without_percentage_discount': {'percentage_times': 0},
    'percentage_discount_twice': {'percentage_times': 2},
    'without_maximum': {'maximum_amount': 'cast(null as ' ~ big_decimal_type() ~ ')'},
    'other_tier_mode': {'exact_amount': 'other_mode_amount'},
    'tier_below': {'exact_amount': 'tier_below_amount'},
    'tier_above': {'exact_amount': 'tier_above_amount'},
    'other_days': {'exact_amount': 'other_days_amount'},
    'billed_quantity': {'exact_amount': 'billed_quantity_amount'},
    'rounded_with_invoice': {'exact_amount': 'agreed_amount + rest_of_invoice'},
    'rounded_down': {'exact_amount': 'agreed_amount - half_minor_unit'},
    'rounded_up': {'exact_amount': 'agreed_amount + half_minor_unit'},
} -%}
with invoices as (

    -- the exact sum of an invoice's usage lines, rounded once, against the sum of the rounded lines
    select
        charges.invoice_id,
        {{ round_to_minor_unit('sum(subtotals.agreed_amount)', 'max(charges.currency)') }}
        - {{ sum_decimal(round_to_minor_unit('subtotals.agreed_amount', 'charges.currency')) }} as rest_of_invoice,
    from {{ ref('int_rating__charges') }} as charges
    inner join {{ ref('int_rating__subtotals') }} as subtotals on charges.charge_id = subtotals.charge_id
    where charges.line_kind = 'usage'
    group by charges.invoice_id

),

differing as (

    select
        lines.charge_id,
        lines.invoice_id,
        lines.currency,
        lines.amount as agreed_line_amount,
        lines.billed_amount,
        subtotals.agreed_amount,
        coalesce(subtotals.orb_price_amount, percent_fees.orb_price_amount) as orb_price_amount,
        subtotals.without_allowance_amount,
        subtotals.without_usage_discount_amount,
        subtotals.usage_discount_twice_amount,
        subtotals.lapsed_usage_discount_amount,
        subtotals.other_mode_amount,
        subtotals.tier_below_amount,
        subtotals.tier_above_amount,
        subtotals.billed_quantity_amount,
        coalesce(terms.amount_discount, 0) as amount_discount,
        terms.lapsed_amount_discount,
        coalesce(terms.percentage_discount, 0) as percentage_discount,
        terms.maximum as maximum_amount,
        case when lines.line_kind = 'fixed_fee' and prices.is_prorated then prices.unit_amount end as whole_fee_amount,
        case when lines.line_kind = 'fixed_fee' then {{ big_divide('prices.unit_amount', 'charges.days_of_cycle') }} end as fee_a_day,
        charges.days_of_cycle,
        nullif(invoices.rest_of_invoice, 0) as rest_of_invoice,
        case
            when subtotals.agreed_amount <> {{ round_to_minor_unit('subtotals.agreed_amount', 'lines.currency') }}
                then {{ multiply(minor_unit('lines.currency'), decimal_literal('0.5')) }}
        end as half_minor_unit,
    from {{ ref('int_rating__lines') }} as lines
    inner join {{ ref('int_rating__charges') }} as charges on lines.charge_id = charges.charge_id
    inner join {{ ref('int_rating__prices') }} as prices on lines.price_key = prices.price_key
    left join {{ ref('int_rating__subtotals') }} as subtotals on lines.charge_id = subtotals.charge_id
    left join {{ ref('int_rating__percent') }} as percent_fees on lines.charge_id = percent_fees.charge_id
    left join {{ ref('int_rating__charge_terms') }} as terms on lines.charge_id = terms.charge_id
    left join invoices on lines.invoice_id = invoices.invoice_id
    where lines.amount <> lines.billed_amount and lines.currency = lines.invoice_currency

),

counted as (

    -- the days that Orb's fee would stand for
    select
        *,
        {{ big_multiply('whole_fee_amount', 'other_days') }} as fee_of_other_days,
    from (
        select
            *,
            {{ round_half_away(big_divide('billed_amount', 'fee_a_day'), 0) }} as other_days,
        from differing
    ) as days

),

reckoned as (

    select
        *,
        {{ big_divide('fee_of_other_days', 'days_of_cycle') }} as other_days_amount,
    from counted

),

ways as (

    {% for way in ways -%}
    select
        '{{ way }}' as way,
        {{ loop.index }} as way_no,
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

tried as (

    select
        reckoned.charge_id,
        reckoned.invoice_id,
        reckoned.currency,
        reckoned.agreed_line_amount,
        reckoned.billed_amount,
        reckoned.percentage_discount,
        ways.way,
        ways.way_no,
        {% for part, expression in agreed.items() -%}
        case
            {% for way, changed in ways.items() if part in changed -%}
            when ways.way = '{{ way }}' then {{ changed[part] }}
            {% endfor -%}
            else {{ expression }}
        end as {{ part }},
        {% endfor -%}
    from reckoned
    cross join ways

),

rounded as (

    select
        *,
        {{ round_to_minor_unit('exact_amount', 'currency') }} as discounted_amount,
    from tried
    where exact_amount is not null

),

found as (

    select
        charge_id,
        invoice_id,
        currency,
        agreed_line_amount,
        billed_amount,
        way,
        case when way in ('rounded_with_invoice', 'rounded_down', 'rounded_up') then abs(agreed_line_amount - billed_amount) else 0 end as rounding,
    from ({{ rating_adjusted('rounded') }}) as adjusted
    where amount = billed_amount
    qualify row_number() over (partition by charge_id order by way_no) = 1

),

budgets as (

    -- rounding n lines instead of their sum can't make more than n halves of a minor unit
    select
        invoice_id,
        count(invoice_line_id) as line_count,
    from {{ ref('int_rating__lines') }}
    group by invoice_id

),

within_budget as (

    select
        found.charge_id,
        found.way,
        found.rounding,
        sum(found.rounding) over (partition by found.invoice_id) as rounding_of_invoice,
        {{ multiply(multiply(minor_unit('found.currency'), decimal_literal('0.5')), 'budgets.line_count') }} as rounding_budget,
    from found
    inner join budgets on found.invoice_id = budgets.invoice_id

)

select
    charge_id,
    way as explained_by,
from within_budget
where rounding = 0 or rounding_of_invoice <= rounding_budget
