select
    close_id,
    close_period as period,
    closed_by,
    accepted_reason,
    accepted,
    inputs,
    input_hash,
    content_hash,
    cast(closed_as_of as timestamp) as closed_as_of,
    cast(read_at as timestamp) as closed_at,
from {{ ref('stg_tieout__closes') }}
