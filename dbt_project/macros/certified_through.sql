{# The moment up to which every stream behind the mart is certified complete; null while one of them is not. dbt's own lineage says
   which streams those are, so that none can be forgotten. #}
{% macro certified_through() -%}
    {%- set streams = streams_behind(model.unique_id) if execute else [] -%}
    (
        select case when count(certified_through) = {{ streams | length }} then min(certified_through) end
        from {{ ref('dim_streams') }}
        where stream in ('{{ streams | join("', '") }}')
    )
{%- endmacro %}

{# The streams that a node of the graph reads, itself or through others, in order. What reads dim_streams reads it through
   certified_through only: the certificates are no source of a mart, and no more is the clock, which asks every stream for the time. #}
{% macro streams_behind(unique_id) %}
    {%- set found = [] -%}
    {%- for parent in graph.nodes[unique_id].depends_on.get('nodes', []) -%}
        {%- if parent in graph.sources -%}
            {%- if not is_looked_up(graph.sources[parent]) -%}{%- do found.append(stream_of(graph.sources[parent])) -%}{%- endif -%}
        {%- elif graph.nodes[parent].name not in ['dim_streams', 'int_core__known_at'] -%}
            {%- do found.extend(streams_behind(parent)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found | unique | sort) }}
{% endmacro %}

{# Whether a stream's objects are looked up by id, as many as the models ask for: it is certified only after they are built. #}
{% macro is_looked_up(source) %}{{ return(source.meta.get('is_looked_up', false)) }}{% endmacro %}

{# `stripe.charges` of the table raw_stripe.charges. #}
{% macro stream_of(source) %}{{ return(source.schema.removeprefix('raw_') ~ '.' ~ source.name) }}{% endmacro %}
