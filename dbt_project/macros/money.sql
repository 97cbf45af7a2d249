{# Minor units are exponents of ten: ISO 4217 says how many decimals a currency has, Stripe's API says how it writes an
   amount (docs.stripe.com/currencies), and the two differ for a few. What is in neither list has two decimals.
   seeds/currencies.csv has the same for every currency; assert_minor_units_match_currencies holds the two together. #}
{% macro minor_units() -%}
    {{ return({
        'iso': {
            '1': ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
            '0.001': ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'],
            '0.0001': ['CLF', 'UYW'],
        },
        'stripe': {
            '1': ['BIF', 'CLP', 'DJF', 'GNF', 'JPY', 'KMF', 'KRW', 'MGA', 'PYG', 'RWF', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'],
            '0.001': ['BHD', 'JOD', 'KWD', 'OMR', 'TND'],
        },
    }) }}
{%- endmacro %}

{# The smallest amount of a currency in major units, as a decimal: 1 for JPY, 0.01 for EUR, 0.001 for BHD. #}
{% macro minor_unit(currency, convention='iso') -%}
    case
        {%- for unit, currencies in minor_units()[convention].items() %}
            when upper({{ currency }}) in ('{{ currencies | join("', '") }}') then {{ minor_unit_literal(unit) }}
        {%- endfor %}
        else {{ minor_unit_literal('0.01') }}
    end
{%- endmacro %}

{# Stripe's integer minor units to an amount in major units: 1999 USD is 19.99, 1999 JPY is 1999. #}
{% macro minor_to_major(amount, currency) -%}
    cast({{ to_decimal(amount) }} * {{ minor_unit(currency, 'stripe') }} as {{ decimal_type() }})
{%- endmacro %}

{# The same for `*_decimal` prices, which have up to twelve decimals of a minor unit. #}
{% macro minor_to_major_price(amount, currency) -%}
    cast({{ to_big_decimal(amount) }} * {{ minor_unit(currency, 'stripe') }} as {{ big_decimal_type() }})
{%- endmacro %}

{# To the currency's minor unit, halves away from zero, as Orb and Stripe round. #}
{% macro round_to_minor_unit(amount, currency) -%}
    case
        {%- for unit, currencies in minor_units()['iso'].items() %}
            when upper({{ currency }}) in ('{{ currencies | join("', '") }}')
                then {{ round_half_away(amount, 0 if unit == '1' else unit | length - 2) }}
        {%- endfor %}
        else {{ round_half_away(amount, 2) }}
    end
{%- endmacro %}
