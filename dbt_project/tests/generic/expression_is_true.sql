{# A condition on the columns of a model that holds for every row; NULL counts as not holding. Fails with the rows where it does not. #}
{% test expression_is_true(model, expression) %}

select *
from {{ model }}
where not coalesce({{ expression }}, false)

{% endtest %}
