{# JSON: raw's payload is text, which BigQuery loads from Parquet as it was sent; `json_fields` makes it JSON there. Paths are literals
   like '$.lines.data[0].id'. Numbers with a fraction were landed as strings, so text is exact (design, part 4); of other numbers
   BigQuery would refuse those that are no double, and with them the document. #}

{# Whether raw's payload is a JSON document. #}
{% macro is_json(document) %}{{ return(adapter.dispatch('is_json')(document)) }}{% endmacro %}
{% macro bigquery__is_json(document) %}(safe.{{ parse_json_text(document) }} is not null){% endmacro %}
{% macro duckdb__is_json(document) %}coalesce(json_valid({{ document }}), false){% endmacro %}

{% macro parse_json_text(text) %}parse_json({{ text }}, wide_number_mode => 'round'){% endmacro %}

{# A scalar as text; an object, an array, JSON null and a missing key are NULL. #}
{% macro json_text(document, path) %}{{ return(adapter.dispatch('json_text')(document, path)) }}{% endmacro %}
{% macro bigquery__json_text(document, path) %}json_value({{ document }}, '{{ path }}'){% endmacro %}
{% macro duckdb__json_text(document, path) %}(json_value({{ document }}, '{{ path }}') ->> '$'){% endmacro %}

{# A sub-document of a JSON column; JSON null and a missing key are NULL. #}
{% macro json_document(document, path) %}{{ return(adapter.dispatch('json_document')(document, path)) }}{% endmacro %}
{% macro bigquery__json_document(document, path) -%}
    if(json_type(json_query({{ document }}, '{{ path }}')) = 'null', null, json_query({{ document }}, '{{ path }}'))
{%- endmacro %}
{% macro duckdb__json_document(document, path) %}nullif(json_extract({{ document }}, '{{ path }}'), 'null'){% endmacro %}

{# A document as text, to be told apart from others of the same engine; how it is spaced and ordered differs between engines. #}
{% macro json_to_text(document) %}{{ return(adapter.dispatch('json_to_text')(document)) }}{% endmacro %}
{% macro bigquery__json_to_text(document) %}to_json_string({{ document }}){% endmacro %}
{% macro duckdb__json_to_text(document) %}cast({{ document }} as varchar){% endmacro %}

{# `from t {{ unnest_json_keys('t.prices', 'product') }}`: one row per key of an object, none for NULL. #}
{% macro unnest_json_keys(document, alias) %}{{ return(adapter.dispatch('unnest_json_keys')(document, alias)) }}{% endmacro %}
{% macro bigquery__unnest_json_keys(document, alias) %}cross join unnest(json_keys({{ document }}, 1)) as {{ alias }}{% endmacro %}
{% macro duckdb__unnest_json_keys(document, alias) -%}
    cross join lateral (select unnest(json_keys({{ document }})) as {{ alias }}) as {{ alias }}_keys
{%- endmacro %}

{# What an object has under a key that is a column. #}
{% macro json_member(document, key) %}{{ return(adapter.dispatch('json_member')(document, key)) }}{% endmacro %}
{% macro bigquery__json_member(document, key) %}{{ document }}[{{ key }}]{% endmacro %}
{% macro duckdb__json_member(document, key) %}json_extract({{ document }}, '$."' || {{ key }} || '"'){% endmacro %}

{# Elements of an array; 0 where there is none. #}
{% macro json_array_length(document, path) %}{{ return(adapter.dispatch('json_array_length')(document, path)) }}{% endmacro %}
{% macro bigquery__json_array_length(document, path) %}ifnull(array_length(json_query_array({{ document }}, '{{ path }}')), 0){% endmacro %}
{% macro duckdb__json_array_length(document, path) %}len(json_extract({{ document }}, '{{ path }}[*]')){% endmacro %}

{# The sum of a decimal over an array's elements, 0 where there is none: all elements, or those whose `key` is one of `values`. #}
{% macro json_array_sum(document, path, amount, key=none, values=[]) %}{{ return(adapter.dispatch('json_array_sum')(document, path, amount, key, values)) }}{% endmacro %}
{% macro bigquery__json_array_sum(document, path, amount, key, values) -%}
    ifnull((
        select cast(sum(cast(json_value(element, '{{ amount }}') as numeric)) as numeric)
        from unnest(json_query_array({{ document }}, '{{ path }}')) as element
        {%- if key %}
            where json_value(element, '{{ key }}') in ('{{ values | join("', '") }}')
        {%- endif %}
    ), 0)
{%- endmacro %}
{% macro duckdb__json_array_sum(document, path, amount, key, values) -%}
    {%- set elements = "json_extract(" ~ document ~ ", '" ~ path ~ "[*]')" -%}
    {%- if key -%}
        {%- set wanted = "(element ->> '" ~ key ~ "') in ('" ~ values | join("', '") ~ "')" -%}
        {%- set elements = "list_filter(" ~ elements ~ ", lambda element: " ~ wanted ~ ")" -%}
    {%- endif -%}
    cast(coalesce(
        list_sum(list_transform({{ elements }}, lambda element: cast(element ->> '{{ amount }}' as decimal(38, 9)))), 0
    ) as decimal(38, 9))
{%- endmacro %}

{# A scalar of the first element whose `key` is `value`, as text. #}
{% macro json_array_find(document, path, key, value, wanted) %}{{ return(adapter.dispatch('json_array_find')(document, path, key, value, wanted)) }}{% endmacro %}
{% macro bigquery__json_array_find(document, path, key, value, wanted) -%}
    (
        select json_value(element, '{{ wanted }}')
        from unnest(json_query_array({{ document }}, '{{ path }}')) as element with offset as position
        where json_value(element, '{{ key }}') = '{{ value }}'
        order by position
        limit 1
    )
{%- endmacro %}
{% macro duckdb__json_array_find(document, path, key, value, wanted) -%}
    (
        list_filter(json_extract({{ document }}, '{{ path }}[*]'), lambda element: (element ->> '{{ key }}') = '{{ value }}')[1]
        ->> '{{ wanted }}'
    )
{%- endmacro %}

{# `from t {{ unnest_json_array('t.payload', '$.lines', 'line', 'line_offset') }}`: one row per element, counted from 0. #}
{% macro unnest_json_array(document, path, alias, offset) %}{{ return(adapter.dispatch('unnest_json_array')(document, path, alias, offset)) }}{% endmacro %}
{% macro bigquery__unnest_json_array(document, path, alias, offset) -%}
    cross join unnest(json_query_array({{ document }}, '{{ path }}')) as {{ alias }} with offset as {{ offset }}
{%- endmacro %}
{% macro duckdb__unnest_json_array(document, path, alias, offset) -%}
    cross join lateral (
        select elements.{{ alias }}, elements.ordinal - 1 as {{ offset }}
        from unnest(json_extract({{ document }}, '{{ path }}[*]')) with ordinality as elements({{ alias }}, ordinal)
    ) as {{ alias }}_elements
{%- endmacro %}

{# A select that reads many scalars of one document as text, parsing each once (five times faster on DuckDB than a call per field).
   `fields`: {column: path to a scalar}; `document`: raw's payload, or a JSON column; `keep`: columns carried along. #}
{% macro json_fields(relation, fields, document='payload', keep=none) -%}
    {%- set envelope = [
        'object_id', 'parent_id', 'payload', 'payload_hash', 'is_deleted as is_tombstone', 'batch_id', 'read_at',
    ] -%}
    {{ return(adapter.dispatch('json_fields')(relation, fields, document, keep or envelope)) }}
{%- endmacro %}
{% macro bigquery__json_fields(relation, fields, document, keep) -%}
    select
        {{ keep | join(', ') }},
        {%- for name, path in fields.items() %}
        json_value({{ document }}, '{{ path }}') as {{ name }},
        {%- endfor %}
    {%- if document == 'payload' %}
    from (select * replace ({{ parse_json_text('payload') }} as payload) from {{ relation }}) as parsed_once
    {%- else %}
    from {{ relation }}
    {%- endif %}
{%- endmacro %}
{% macro duckdb__json_fields(relation, fields, document, keep) -%}
    select
        {{ keep | join(', ') }},
        {%- for name in fields %}
        extracted[{{ loop.index }}] as {{ name }},
        {%- endfor %}
    from (
        select *, json_extract_string({{ document }}, ['{{ fields.values() | join("', '") }}']) as extracted
        from {{ relation }}
    ) as parsed_once
{%- endmacro %}

{# JSON text of named text values, in their order, for evidence: {'charge': 'charge_id'}. BigQuery's JSON_OBJECT would sort the names. #}
{% macro json_object(pairs) %}{{ return(adapter.dispatch('json_object')(pairs)) }}{% endmacro %}
{% macro bigquery__json_object(pairs) -%}
    concat('{'{% for key, value in pairs.items() %}, '{{ '"' if loop.first else ',"' }}{{ key }}":', to_json_string({{ value }}){% endfor %}, '}')
{%- endmacro %}
{% macro duckdb__json_object(pairs) %}cast(json_object({% for key, value in pairs.items() %}'{{ key }}', {{ value }}{{ ", " if not loop.last }}{% endfor %}) as varchar){% endmacro %}

{# dbt's own, which makes the rows of unit tests: BigQuery has no cast of a text to JSON. #}
{% macro bigquery__safe_cast(field, type) -%}
    {%- if type | lower == 'json' and field is string -%} parse_json({{ field }})
    {%- else -%} {{ dbt.bigquery__safe_cast(field, type) }}
    {%- endif -%}
{%- endmacro %}
