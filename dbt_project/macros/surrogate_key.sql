{# md5 over text columns. Numbers and times must be formatted by the caller: their text differs between engines.
   NULL and the empty string give different keys, and a separator inside a value can't forge a boundary. #}
{% macro surrogate_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(concat(cast(length(" ~ column ~ ") as string), ':', " ~ column ~ "), '-')") -%}
    {%- endfor -%}
    {{ md5_hex("concat(" ~ parts | join(", ',', ") ~ ", '')") }}
{%- endmacro %}
