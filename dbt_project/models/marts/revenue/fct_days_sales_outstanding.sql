with invoiced as (

    select
        currency,
        {{ truncate_date('month', 'invoice_date') }} as month_start,
        {{ sum_decimal('amount_due') }} as amount,
    from {{ ref('fct_invoices') }}
    where status in ('issued', 'synced', 'paid') and not is_internal
    group by currency, {{ truncate_date('month', 'invoice_date') }}

),

open_at_month_end as (

    select
        currency,
        {{ truncate_date('month', 'ageing_date') }} as month_start,
        {{ sum_decimal('open_amount') }} as amount,
    from {{ ref('fct_receivables_ageing') }}
    where is_month_end
    group by currency, {{ truncate_date('month', 'ageing_date') }}

),

months as (

    select distinct
        currencies.currency,
        {{ truncate_date('month', 'ends.ageing_date') }} as month_start,
        {{ date_difference('day', add_to_date('month', -2, truncate_date('month', 'ends.ageing_date')), 'ends.ageing_date') }} + 1 as days,
    from {{ ref('fct_receivables_ageing') }} as ends
    cross join (select distinct currency from invoiced) as currencies
    where ends.is_month_end

),

measured as (

    select
        months.currency,
        months.month_start,
        months.days,
        {{ sum_decimal('coalesce(invoiced.amount, 0)') }} as invoiced_amount,
    from months
    left join invoiced
        on
            months.currency = invoiced.currency
            and invoiced.month_start between {{ add_to_date('month', -2, 'months.month_start') }} and months.month_start
    group by months.currency, months.month_start, months.days

)

select
    {{ surrogate_key(['measured.currency', year_month('measured.month_start')]) }} as days_sales_outstanding_id,
    measured.currency,
    {{ year_month('measured.month_start') }} as period,
    {{ to_integer('measured.days') }} as days,
    coalesce(open_at_month_end.amount, {{ decimal_literal('0') }}) as open_amount,
    measured.invoiced_amount,
    {{ round_half_away(divide(multiply('coalesce(open_at_month_end.amount, 0)', 'measured.days'), 'measured.invoiced_amount'), 1) }} as days_sales_outstanding,
    {{ certified_through() }} as certified_through,
from measured
left join open_at_month_end on measured.currency = open_at_month_end.currency and measured.month_start = open_at_month_end.month_start
