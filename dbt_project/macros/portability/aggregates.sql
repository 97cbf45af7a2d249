{% macro count_where(condition) %}count(case when {{ condition }} then 1 end){% endmacro %}

{% macro any_true(condition) %}{{ return(adapter.dispatch('any_true')(condition)) }}{% endmacro %}
{% macro bigquery__any_true(condition) %}logical_or({{ condition }}){% endmacro %}
{% macro duckdb__any_true(condition) %}bool_or({{ condition }}){% endmacro %}

{% macro all_true(condition) %}{{ return(adapter.dispatch('all_true')(condition)) }}{% endmacro %}
{% macro bigquery__all_true(condition) %}logical_and({{ condition }}){% endmacro %}
{% macro duckdb__all_true(condition) %}bool_and({{ condition }}){% endmacro %}

{# The value of the row with the greatest `order_by`. #}
{% macro newest_value(value, order_by) %}{{ return(adapter.dispatch('newest_value')(value, order_by)) }}{% endmacro %}
{% macro bigquery__newest_value(value, order_by) %}any_value({{ value }} having max {{ order_by }}){% endmacro %}
{% macro duckdb__newest_value(value, order_by) %}arg_max({{ value }}, {{ order_by }}){% endmacro %}

{# Texts joined in a stated order. #}
{% macro list_agg(expression, separator, order_by) %}string_agg({{ expression }}, '{{ separator }}' order by {{ order_by }}){% endmacro %}
