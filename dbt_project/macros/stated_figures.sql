{#-
  Of the figures that a document states the first that is not what its parts come to: a list of (name, what the parts come to,
  what is stated), in the order in which one follows from another. A figure that is not stated ties. Where all tie, the last.
  One wrong figure puts two out of step, the one and what follows from it: the first says by how much. Columns: figure,
  parts_amount, stated_amount.
-#}
{% macro stated_figures(figures) -%}
{%- for column, place in [('figure', none), ('parts_amount', 1), ('stated_amount', 2)] -%}
        case
            {% for figure in figures -%}
            when {{ figure[1] }} <> {{ figure[2] }} then {{ "'" ~ figure[0] ~ "'" if place is none else to_decimal(figure[place]) }}
            {% endfor -%}
            {% if place is not none -%}
            else {{ to_decimal('coalesce(' ~ figures[-1][2] ~ ', ' ~ decimal_literal('0') ~ ')') }}
            {% endif -%}
        end as {{ column }},
{% endfor -%}
{%- endmacro %}
