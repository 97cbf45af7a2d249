{# md5 over text columns. Numbers and times must be formatted by the caller: their text differs between engines.
   NULL and the empty string give different keys, and a separator inside a value can't forge a boundary.
   Said with `case`: concat() of a NULL is NULL in BigQuery, and skips it in DuckDB. #}
{% macro surrogate_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("case when " ~ column ~ " is null then '-' else concat(cast(length(" ~ column ~ ") as string), ':', " ~ column ~ ") end") -%}
    {%- endfor -%}
    {{ md5_hex("concat(" ~ parts | join(", ',', ") ~ ", '')") }}
{%- endmacro %}
