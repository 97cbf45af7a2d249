with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

first_months as (

    select min(valid_from) as first_date from {{ ref('fct_receivable_balances') }}

),

month_ends as (

    select {{ add_to_date('day', -1, add_to_date('month', 1, 'month_start')) }} as ageing_date
    from first_months
    cross join known
    cross join {{ month_series('first_months.first_date', 'known.known_on', 'month_start') }}

),

ageing_dates as (

    select
        least(month_ends.ageing_date, known.known_on) as ageing_date,
        month_ends.ageing_date <= known.known_on as is_month_end,
    from month_ends
    cross join known

),

aged as (

    select
        balances.*,
        ageing_dates.ageing_date,
        ageing_dates.is_month_end,
        {{ date_difference('day', 'balances.due_date', 'ageing_dates.ageing_date') }} as days_overdue,
    from ageing_dates
    inner join {{ ref('fct_receivable_balances') }} as balances
        on
            ageing_dates.ageing_date >= balances.valid_from
            and (balances.valid_to is null or ageing_dates.ageing_date < balances.valid_to)
    where balances.open_amount <> 0

)

select
    {{ surrogate_key(['invoice_id', iso_date('ageing_date')]) }} as receivable_ageing_id,
    invoice_id,
    customer_id,
    case
        when days_overdue <= 0 then 'not due'
        when days_overdue <= 30 then '1-30'
        when days_overdue <= 60 then '31-60'
        when days_overdue <= 90 then '61-90'
        else '91+'
    end as age_bucket,
    {{ to_integer('days_overdue') }} as days_overdue,
    currency,
    open_amount,
    is_month_end,
    invoice_date,
    due_date,
    ageing_date,
    {{ certified_through() }} as certified_through,
from aged
