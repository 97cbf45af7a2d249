{# Types and strict casts: what can't be cast stops the build and names the value, it never becomes NULL.
   `string`, `int64`, `date` and `boolean` are spelled alike in both engines. #}

{# Money: 29 digits before the point, 9 after. #}
{% macro decimal_type() %}{{ return(adapter.dispatch('decimal_type')()) }}{% endmacro %}
{% macro bigquery__decimal_type() %}numeric{% endmacro %}
{% macro duckdb__decimal_type() %}decimal(38, 9){% endmacro %}

{# Unit prices and quantities, which need more decimals than money. #}
{% macro big_decimal_type() %}{{ return(adapter.dispatch('big_decimal_type')()) }}{% endmacro %}
{% macro bigquery__big_decimal_type() %}bignumeric{% endmacro %}
{% macro duckdb__big_decimal_type() %}decimal(38, 18){% endmacro %}

{# DuckDB's `timestamp` has no zone: an instant is a `timestamptz`. #}
{% macro timestamp_type() %}{{ return(adapter.dispatch('timestamp_type')()) }}{% endmacro %}
{% macro bigquery__timestamp_type() %}timestamp{% endmacro %}
{% macro duckdb__timestamp_type() %}timestamptz{% endmacro %}

{% macro to_decimal(expression) %}cast({{ expression }} as {{ decimal_type() }}){% endmacro %}
{% macro to_big_decimal(expression) %}cast({{ expression }} as {{ big_decimal_type() }}){% endmacro %}
{% macro to_boolean(expression) %}cast({{ expression }} as boolean){% endmacro %}
{% macro to_date(expression) %}cast({{ expression }} as date){% endmacro %}

{# BigQuery refuses '2.0' as an integer and DuckDB rounds it: through a decimal both round halves away from zero. #}
{% macro to_integer(expression) %}cast({{ to_decimal(expression) }} as int64){% endmacro %}

{# A decimal as text, without zeros at its end. #}
{% macro decimal_text(expression) %}{{ return(adapter.dispatch('decimal_text')(expression)) }}{% endmacro %}
{% macro bigquery__decimal_text(expression) %}cast({{ to_decimal(expression) }} as string){% endmacro %}
{% macro duckdb__decimal_text(expression) %}rtrim(rtrim(cast({{ to_decimal(expression) }} as varchar), '0'), '.'){% endmacro %}

{# The same with all nine decimals. #}
{% macro all_decimals_text(expression) %}{{ return(adapter.dispatch('all_decimals_text')(expression)) }}{% endmacro %}
{% macro bigquery__all_decimals_text(expression) %}format('%.9f', {{ to_decimal(expression) }}){% endmacro %}
{% macro duckdb__all_decimals_text(expression) %}cast({{ expression }} as string){% endmacro %}

{# Alike in both engines for text, integers and dates; for decimals there is decimal_text, for instants instant_text. #}
{% macro to_string(expression) %}cast({{ expression }} as string){% endmacro %}
