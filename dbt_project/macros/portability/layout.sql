{# Partition and cluster settings for `{{ config(materialized='table', **layout('usage_date', cluster=['customer_id'])) }}`
   (dbt refuses a config() that turns out to have no argument).
   Empty outside BigQuery: dbt-duckdb crashes on a `partition_by` dictionary. #}
{% macro layout(partition_field=none, data_type='date', granularity='day', cluster=none) -%}
    {%- set settings = {} -%}
    {%- if target.type == 'bigquery' and partition_field -%}
        {%- do settings.update(partition_by={'field': partition_field, 'data_type': data_type, 'granularity': granularity}) -%}
    {%- endif -%}
    {%- if target.type == 'bigquery' and cluster -%}{%- do settings.update(cluster_by=cluster) -%}{%- endif -%}
    {{ return(settings) }}
{%- endmacro %}
