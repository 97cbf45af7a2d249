{# Every row of a raw table that landed typed has its key, its batch and when it was read. Fails with the rows that do not. #}
{% test raw_rows(model, key) %}

select
    {{ key }},
    batch_id,
    read_at,
from {{ model }}
where {{ key }} is null or batch_id is null or read_at is null

{% endtest %}
