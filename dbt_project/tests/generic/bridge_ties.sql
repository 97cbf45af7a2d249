{#- left_total + every item = right_total, exactly, per comparison, period and currency; returns the bridges that don't -#}
{% test bridge_ties(model) %}
select
    comparison,
    period,
    currency,
    sum(case when line = 'right_total' then -amount else amount end) as gap,
from {{ model }}
group by comparison, period, currency
having sum(case when line = 'right_total' then -amount else amount end) <> 0
{% endtest %}
