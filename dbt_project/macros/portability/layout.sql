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

{# Settings of an incremental model: what a build brings of a day takes the day's place, or a row's the place of the row with its key. #}
{% macro replacing_days(day, cluster=none) -%}
    {%- set settings = layout(day, cluster=cluster) -%}
    {%- if target.type == 'bigquery' -%}{%- do settings.update(incremental_strategy='insert_overwrite') -%}
    {%- else -%}{%- do settings.update(incremental_strategy='delete+insert', unique_key=day) -%}{%- endif -%}
    {{ return(settings) }}
{%- endmacro %}

{% macro replacing_rows(key) -%}
    {{ return({'incremental_strategy': 'merge' if target.type == 'bigquery' else 'delete+insert', 'unique_key': key}) }}
{%- endmacro %}
