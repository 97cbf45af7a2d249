with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

invoiced as (

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

first_months as (

    select min(month_start) as first_month from invoiced

),

month_ends as (

    -- a month at whose end nothing is open has none in the ageing, and a DSO of nothing
    select
        month_start,
        {{ add_to_date('day', -1, add_to_date('month', 1, 'month_start')) }} as month_end,
    from first_months
    cross join known
    cross join {{ month_series('first_months.first_month', 'known.known_on', 'month_start') }}

),

months as (

    select
        currencies.currency,
        month_ends.month_start,
        {{ date_difference('day', add_to_date('month', -2, 'month_ends.month_start'), 'month_ends.month_end') }} + 1 as days,
    from month_ends
    cross join known
    cross join (select distinct currency from invoiced) as currencies
    where month_ends.month_end <= known.known_on

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
