{# The schema as it is named in dbt_project.yml: readers and the reconciliation rely on `marts.fct_invoices`. A close is built beside it, into
   schemas of its own: `close_2026_09_marts`. On BigQuery a developer's dataset, which is any but production's, stands in front of
   all of them: `alice_marts`. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set schema = custom_schema_name | trim if custom_schema_name else target.schema -%}
    {%- set is_developers = target.type == 'bigquery' and target.schema != 'tieout' and custom_schema_name -%}
    {{ target.schema ~ '_' if is_developers }}
    {{- 'close_' ~ var('close_period') | replace('-', '_') ~ '_' ~ schema if var('close_period') else schema }}
{%- endmacro %}
