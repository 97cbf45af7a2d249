{#- rows of a close that was never completed have no header: they do not count -#}
select
    rows_of_close.*,
    closes.closed_as_of,
from {{ ref('stg_tieout__close_ledger') }} as rows_of_close
inner join {{ ref('stg_tieout__closes') }} as closes on rows_of_close.close_id = closes.close_id
