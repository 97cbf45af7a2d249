with figures as (

    -- an account's month on its own side: revenue is positive, and so is a receivable
    select
        entries.account_id as figure,
        cast(null as string) as detail,
        entries.customer_id,
        entries.product_id,
        entries.currency,
        entries.period,
        {{ sum_decimal("case accounts.normal_side when 'credit' then -entries.amount else entries.amount end") }} as amount,
    from {{ ref('int_journal__entries') }} as entries
    inner join {{ ref('ledger_accounts') }} as accounts on entries.account_id = accounts.account_id
    group by entries.account_id, entries.customer_id, entries.product_id, entries.currency, entries.period
    union all
    select
        'usage' as figure,
        metric as detail,
        customer_id,
        product_id,
        metric as currency,
        {{ year_month('usage_date') }} as period,
        {{ sum_decimal('quantity') }} as amount,
    from {{ ref('fct_usage_daily') }}
    group by metric, customer_id, product_id, {{ year_month('usage_date') }}
    union all
    select
        'bridge' as figure,
        concat(comparison, '/', line) as detail,
        cast(null as string) as customer_id,
        cast(null as string) as product_id,
        currency,
        period,
        amount,
    from {{ ref('rec_bridge') }}

)

select
    {{ surrogate_key(['figure', 'detail', 'customer_id', 'product_id', 'currency', 'period']) }} as figure_id,
    figure,
    detail,
    customer_id,
    product_id,
    currency,
    period,
    amount,
from figures
where amount <> 0
