{# dbt's own for BigQuery, which makes no table of a seed without rows, and spells types as no load job knows them. #}

{% macro bigquery__create_csv_table(model, agate_table) %}
    {%- if agate_table.rows | length == 0 -%}
        {% call statement() -%}
            create table {{ this.render() }} (
                {%- for column, type in model['config']['column_types'].items() %}{{ column }} {{ type }}{{ ', ' if not loop.last }}{% endfor -%}
            )
        {%- endcall %}
    {%- endif -%}
{% endmacro %}

{% macro bigquery__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {{ adapter.drop_relation(old_relation) }}
    {{ bigquery__create_csv_table(model, agate_table) }}
{% endmacro %}

{# A load job's types go by one name each, and have no precision. #}
{% macro bigquery__load_csv_rows(model, agate_table) %}
    {%- set types = {} -%}
    {%- for column, type in model['config']['column_types'].items() -%}
        {%- do types.update({column: {'bigint': 'INT64'}.get(type, type.split('(')[0] | upper)}) -%}
    {%- endfor -%}
    {{ adapter.load_dataframe(model['database'], model['schema'], model['alias'], agate_table, types, model['config']['delimiter']) }}
    {% call statement() -%}
        alter table {{ this.render() }} set {{ bigquery_table_options(config, model) }}
    {%- endcall %}
    {% if config.persist_relation_docs() and 'description' in model -%}
        {{ adapter.update_table_description(model['database'], model['schema'], model['alias'], model['description']) }}
    {%- endif %}
{% endmacro %}
