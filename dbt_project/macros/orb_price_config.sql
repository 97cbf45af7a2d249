{# The configuration of an Orb price sits under a key named after its model: this finds it for the models that Tieout rates. #}
{% macro orb_price_config(document, price) -%}
    coalesce(
        {%- for model in ['unit', 'package', 'tiered', 'bulk', 'matrix'] %}
        {{ json_document(document, price ~ '.' ~ model ~ '_config') }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
