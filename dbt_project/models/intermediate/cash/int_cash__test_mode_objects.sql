-- balance transactions carry no livemode: theirs is that of the object behind them
{% for stream, key in [('charges', 'charge_id'), ('payouts', 'payout_id'), ('disputes', 'dispute_id')] -%}
select {{ key }} as object_id
from {{ ref('stg_stripe__' ~ stream) }}
where not is_livemode
union all
{% endfor -%}
select refunds.refund_id as object_id
from {{ ref('stg_stripe__refunds') }} as refunds
inner join {{ ref('stg_stripe__charges') }} as charges on refunds.charge_id = charges.charge_id
where not charges.is_livemode
