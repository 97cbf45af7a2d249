{# The schema as it is named in dbt_project.yml: readers and the reconciliation rely on `marts.fct_invoices`. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
