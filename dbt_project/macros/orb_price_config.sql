{# The configuration of an Orb price sits under a key named after its model: this finds it for the models that Tieout rates. #}
{% macro orb_price_config(document, price) -%}
    coalesce(
        {%- for model in [
            'unit', 'package', 'package_with_allocation', 'tiered', 'tiered_package', 'bulk', 'matrix', 'threshold_total_amount', 'percent',
        ] %}
        {{ json_document(document, price ~ '.' ~ model ~ '_config') }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}
