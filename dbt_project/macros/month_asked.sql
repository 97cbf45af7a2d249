{# What an analysis is asked of: var('month'), its days and the last of them. A constant, so that BigQuery leaves out the other partitions. #}

{% macro month_start() %}{{ date_literal(var('month') ~ '-01') }}{% endmacro %}
{% macro month_end() %}{{ add_to_date('day', -1, add_to_date('month', 1, month_start())) }}{% endmacro %}
{% macro in_month(day) %}{{ day }} between {{ month_start() }} and {{ month_end() }}{% endmacro %}
