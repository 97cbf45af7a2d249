{% macro md5_hex(expression) %}{{ return(adapter.dispatch('md5_hex')(expression)) }}{% endmacro %}
{% macro bigquery__md5_hex(expression) %}to_hex(md5({{ expression }})){% endmacro %}
{% macro duckdb__md5_hex(expression) %}md5({{ expression }}){% endmacro %}
