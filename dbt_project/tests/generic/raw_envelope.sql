{# Every row of a raw table has the envelope that staging picks versions by, and a payload that is JSON. Fails with the rows that do not. #}
{% test raw_envelope(model) %}

select
    object_id,
    batch_id,
    read_at,
    origin,
from {{ model }}
where object_id is null
    or batch_id is null
    or read_at is null
    or is_deleted is null
    or payload_hash is null
    or origin is null
    or origin not in ('backfill', 'event', 'sweep')
    or not {{ is_json('payload') }}

{% endtest %}
