{# Exact arithmetic on money: nine decimals, halves away from zero. DuckDB types a quotient DOUBLE and adds up the
   scales of a product, so every result is cast back; what does not fit is an error in both engines, not a rounded number. #}

{% macro decimal_literal(text) %}{{ return(adapter.dispatch('decimal_literal')(text)) }}{% endmacro %}
{% macro bigquery__decimal_literal(text) %}numeric '{{ text }}'{% endmacro %}
{% macro duckdb__decimal_literal(text) %}cast('{{ text }}' as decimal(38, 9)){% endmacro %}

{# A minor unit: 1, 0.01, 0.001. DuckDB caps a product at 38 digits, so its narrow type leaves them to the amount. #}
{% macro minor_unit_literal(text) %}{{ return(adapter.dispatch('minor_unit_literal')(text)) }}{% endmacro %}
{% macro bigquery__minor_unit_literal(text) %}numeric '{{ text }}'{% endmacro %}
{% macro duckdb__minor_unit_literal(text) %}cast('{{ text }}' as decimal(5, 4)){% endmacro %}

{% macro multiply(a, b) %}cast(({{ a }}) * ({{ b }}) as {{ decimal_type() }}){% endmacro %}

{# Quotient with nine decimals, NULL for a zero divisor. Both are brought to integers of 1e-9, so no double is ever made. #}
{% macro divide(a, b) %}{{ return(adapter.dispatch('divide')(a, b)) }}{% endmacro %}
{% macro bigquery__divide(a, b) %}safe_divide({{ to_decimal(a) }}, {{ to_decimal(b) }}){% endmacro %}
{% macro duckdb__divide(a, b) -%}
    {%- set dividend = "cast(" ~ to_decimal(a) ~ " * 1000000000 as hugeint)" -%}
    {%- set divisor = "cast(" ~ to_decimal(b) ~ " * 1000000000 as hugeint)" -%}
    cast(
        sign({{ dividend }}) * sign({{ divisor }})
        * ((2000000000 * abs({{ dividend }}) + abs({{ divisor }})) // (2 * abs(nullif({{ divisor }}, 0))))
        as decimal(38, 0)
    ) * cast('0.000000001' as decimal(10, 9))
{%- endmacro %}

{# Quantity times unit price with 18 decimals. DuckDB can't hold the product's 36: whole and fraction are multiplied
   apart, and only fraction times fraction is rounded. #}
{% macro big_multiply(a, b) %}{{ return(adapter.dispatch('big_multiply')(a, b)) }}{% endmacro %}
{% macro bigquery__big_multiply(a, b) %}round({{ to_big_decimal(a) }} * {{ to_big_decimal(b) }}, 18){% endmacro %}
{% macro duckdb__big_multiply(a, b) -%}
    {%- set x, y = to_big_decimal(a), to_big_decimal(b) -%}
    (
        cast(trunc({{ x }}) * trunc({{ y }}) as decimal(38, 18))
        + trunc({{ x }}) * ({{ y }} - trunc({{ y }}))
        + ({{ x }} - trunc({{ x }})) * trunc({{ y }})
        + cast(({{ x }} - trunc({{ x }})) * ({{ y }} - trunc({{ y }})) as decimal(38, 18))
    )
{%- endmacro %}

{# Quotient with 18 decimals, NULL for a zero divisor: long division, six digits at a time, for DuckDB's integers hold 38. #}
{% macro big_divide(a, b) %}{{ return(adapter.dispatch('big_divide')(a, b)) }}{% endmacro %}
{% macro bigquery__big_divide(a, b) %}round({{ to_big_decimal(a) }} / nullif({{ to_big_decimal(b) }}, 0), 18){% endmacro %}
{% macro duckdb__big_divide(a, b) -%}
    {%- set dividend, divisor = "abs(" ~ attounits(a) ~ ")", "nullif(abs(" ~ attounits(b) ~ "), 0)" -%}
    {%- set rest_1 = "(" ~ dividend ~ " % " ~ divisor ~ ") * 1000000" -%}
    {%- set rest_2 = "(" ~ rest_1 ~ " % " ~ divisor ~ ") * 1000000" -%}
    {%- set rest_3 = "(" ~ rest_2 ~ " % " ~ divisor ~ ") * 1000000" -%}
    sign({{ attounits(a) }}) * sign({{ attounits(b) }}) * (
        cast({{ dividend }} // {{ divisor }} as decimal(38, 18))
        + cast(({{ rest_1 }}) // {{ divisor }} as decimal(7, 0)) * cast('0.000001' as decimal(18, 18))
        + cast(({{ rest_2 }}) // {{ divisor }} as decimal(7, 0)) * cast('0.000000000001' as decimal(18, 18))
        + cast((2 * {{ rest_3 }} + {{ divisor }}) // (2 * {{ divisor }}) as decimal(7, 0)) * cast('0.000000000000000001' as decimal(18, 18))
    )
{%- endmacro %}
{# A decimal as a DuckDB integer of 1e-18: whole and fraction apart, or the product would overflow. #}
{% macro attounits(a) -%}
    (
        cast(trunc({{ to_big_decimal(a) }}) as hugeint) * 1000000000000000000
        + cast(({{ to_big_decimal(a) }} - trunc({{ to_big_decimal(a) }})) * 1000000000000000000 as hugeint)
    )
{%- endmacro %}

{# In one step from all 18 decimals: 0.0049999999999 is no half cent. #}
{% macro round_half_away(expression, digits) %}cast(round({{ to_big_decimal(expression) }}, {{ digits }}) as {{ decimal_type() }}){% endmacro %}

{% macro sum_decimal(expression) %}cast(sum({{ expression }}) as {{ decimal_type() }}){% endmacro %}
{% macro sum_big_decimal(expression) %}cast(sum({{ expression }}) as {{ big_decimal_type() }}){% endmacro %}
{# DuckDB sums integers to HUGEINT. #}
{% macro sum_integer(expression) %}cast(sum({{ expression }}) as int64){% endmacro %}
