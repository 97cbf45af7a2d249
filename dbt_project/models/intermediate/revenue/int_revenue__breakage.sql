select
    entries.customer_id,
    entries.credit_block_id,
    entries.currency,
    {{ sum_decimal(multiply('-entries.amount', 'entries.cost_basis')) }} as amount,
    {{ date_of('entries.created_at') }} as revenue_date,
from {{ ref('fct_credit_ledger') }} as entries
left join {{ ref('dim_customers') }} as customers on entries.customer_id = customers.customer_id
where
    entries.entry_type = 'credit_block_expiry'
    and not entries.is_promotional
    and not coalesce(customers.is_internal, false)
group by entries.customer_id, entries.credit_block_id, entries.currency, {{ date_of('entries.created_at') }}
