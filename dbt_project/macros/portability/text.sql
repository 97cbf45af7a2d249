{# An integer that is the same for the same text, and seldom for another; NULL for NULL. It differs between engines. #}
{% macro fingerprint(expression) %}{{ return(adapter.dispatch('fingerprint')(expression)) }}{% endmacro %}
{% macro bigquery__fingerprint(expression) %}farm_fingerprint({{ expression }}){% endmacro %}
{% macro duckdb__fingerprint(expression) %}case when {{ expression }} is not null then hash({{ expression }}) end{% endmacro %}

{% macro md5_hex(expression) %}{{ return(adapter.dispatch('md5_hex')(expression)) }}{% endmacro %}
{% macro bigquery__md5_hex(expression) %}to_hex(md5({{ expression }})){% endmacro %}
{% macro duckdb__md5_hex(expression) %}md5({{ expression }}){% endmacro %}
