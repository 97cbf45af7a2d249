{% macro md5_hex(expression) %}{{ return(adapter.dispatch('md5_hex')(expression)) }}{% endmacro %}
{% macro bigquery__md5_hex(expression) %}to_hex(md5({{ expression }})){% endmacro %}
{% macro duckdb__md5_hex(expression) %}md5({{ expression }}){% endmacro %}

{# The first group of a pattern, NULL where it does not match or the group is empty. #}
{% macro regex_capture(expression, pattern) %}{{ return(adapter.dispatch('regex_capture')(expression, pattern)) }}{% endmacro %}
{% macro bigquery__regex_capture(expression, pattern) %}nullif(regexp_extract({{ expression }}, r'{{ pattern }}'), ''){% endmacro %}
{% macro duckdb__regex_capture(expression, pattern) %}nullif(regexp_extract({{ expression }}, '{{ pattern }}', 1), ''){% endmacro %}
