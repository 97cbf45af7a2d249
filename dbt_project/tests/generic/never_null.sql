{# What the columns of a model without a contract always say; with one, each has its constraint. Fails with the rows that lack it. #}
{% test never_null(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where {{ columns | join(' is null or ') }} is null

{% endtest %}
