{# What tells two prices apart: their model and configuration. NULL where there is none. #}
{% macro rating_price_key(price_model, price_config) -%}
    case when {{ price_config }} is not null then {{ surrogate_key([price_model, json_to_text(price_config)]) }} end
{%- endmacro %}

{# What a line comes to, in Orb's order: from `discounted_amount`, which is rated without the units of the usage discount, goes
   the amount discount, then the percentage once, twice or not at all (each of what is left), then what exceeds the maximum.
   `relation` has these columns and percentage_times, currency; the select adds the amounts taken off, and `amount`.
   One step a select: a nested macro repeats its arguments so often that the statement takes minutes to plan. #}
{% macro rating_adjusted(relation) -%}
    select
        *,
        case when maximum_amount < after_percentages then {{ to_decimal('after_percentages - maximum_amount') }} else {{ decimal_literal('0') }} end as maximum_taken,
        case when maximum_amount < after_percentages then {{ to_decimal('maximum_amount') }} else after_percentages end as amount,
    from (
        select
            *,
            {{ to_decimal('after_percentage - ' ~ round_to_minor_unit('second_share', 'currency')) }} as after_percentages,
        from (
            select
                *,
                case when percentage_times = 2 then {{ big_multiply('after_percentage', 'percentage_share') }} else 0 end as second_share,
            from (
                select
                    *,
                    {{ to_decimal('after_amount - ' ~ round_to_minor_unit('first_share', 'currency')) }} as after_percentage,
                from (
                    select
                        *,
                        case when percentage_times >= 1 then {{ big_multiply('after_amount', 'percentage_share') }} else 0 end as first_share,
                    from (
                        select
                            *,
                            {{ to_decimal('case when amount_discount < discounted_amount then discounted_amount - amount_discount else 0 end') }}
                                as after_amount,
                            {{ big_multiply('percentage_discount', "'0.01'") }} as percentage_share,
                        from {{ relation }}
                    ) as step_1
                ) as step_2
            ) as step_3
        ) as step_4
    ) as step_5
{%- endmacro %}

{# Two steps of a statement, `reached` and `rated_reached`: what an invoice's usage lines come to as Orb bills them, and as they are
   rated. Summed are `of_lines` of int_rating__orb_lines and `of_charges` of int_rating__priced_lines. #}
{% macro rating_usage_of_invoices(of_lines, of_charges) -%}
reached as (

    select
        invoice_id,
        {{ sum_decimal(of_lines) }} as amount,
    from {{ ref('int_rating__orb_lines') }}
    where line_kind = 'usage'
    group by invoice_id

),

rated_reached as (

    select
        charges.invoice_id,
        {{ sum_decimal('priced.' ~ of_charges) }} as amount,
    from {{ ref('int_rating__priced_lines') }} as priced
    inner join {{ ref('int_rating__charges') }} as charges on priced.charge_id = charges.charge_id
    where charges.line_kind = 'usage'
    group by charges.invoice_id

),
{%- endmacro %}
