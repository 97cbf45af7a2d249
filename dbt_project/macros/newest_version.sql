{# One row per object of a relation that `json_fields` made: its newest version known at var('as_of').
   A deletion often arrives as a stub without fields: the last full version is kept and flagged `is_deleted`, or a deleted
   customer would lose its name and its invoices. Ties of `read_at` are broken so that every run picks the same row. #}
{% macro newest_version(relation) -%}
    select
        *,
        first_value(is_tombstone) over (
            partition by object_id
            order by read_at desc, batch_id desc, payload_hash desc
        ) as is_deleted
    from {{ relation }}
    {{ known_at_as_of() }}
    qualify row_number() over (
        partition by object_id
        order by is_tombstone, read_at desc, batch_id desc, payload_hash desc
    ) = 1
{%- endmacro %}

{# The same for a table that landed typed, column by column, parted by the day of its rows. #}
{% macro newest_row(relation, key, at) -%}
    select *
    from {{ relation }}
    {{ known_at_as_of(at) }}
    qualify row_number() over (partition by {{ key }} order by read_at desc, batch_id desc) = 1
{%- endmacro %}

{# `parted_by`: the column that a raw table is parted by. BigQuery wants it in every reading: that it is there tells nothing new. #}
{% macro known_at_as_of(parted_by=none) -%}
    where {{ "read_at <= " ~ as_of() if var('as_of') else 'read_at is not null' }}
    {%- if parted_by %} and {{ parted_by }} is not null{% endif %}
{%- endmacro %}
