{# The currency that marts show amounts in beside their own: var('reporting_currency'). #}
{% macro reporting_currency() %}'{{ var("reporting_currency") }}'{% endmacro %}

{# The rate of a currency on a day into the reporting currency: a left join, for a day may have none. #}
{% macro join_exchange_rates(currency, day, rates='rates') -%}
    left join {{ ref('dim_exchange_rates') }} as {{ rates }} on {{ currency }} = {{ rates }}.currency and {{ day }} = {{ rates }}.rate_date
{%- endmacro %}

{# A currency is worth itself, with or without anybody who publishes that. #}
{% macro exchange_rate(currency, rates='rates') -%}
    case when {{ currency }} = {{ reporting_currency() }} then {{ decimal_literal('1') }} else {{ rates }}.exchange_rate end
{%- endmacro %}
{% macro exchange_rate_source(currency, rates='rates') -%}
    case when {{ currency }} = {{ reporting_currency() }} then 'same currency' else {{ rates }}.exchange_rate_source end
{%- endmacro %}

{# NULL where no rate is known: a missing rate is never guessed, and no sum takes it for nothing. #}
{% macro reporting_amount(amount, currency, rates='rates') %}{{ multiply(amount, exchange_rate(currency, rates)) }}{% endmacro %}
