{# The accounts of a currency add up to nothing at the end of each month. Fails with the months that do not. #}
{% test trial_balance_ties(model) %}

select
    currency,
    period,
    sum(closing_amount) as remainder,
from {{ model }}
group by currency, period
having sum(closing_amount) <> 0

{% endtest %}
