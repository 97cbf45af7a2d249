with balances as materialized (
    from receivable_balances()
),

ageing_dates as (
    select
        least(month_end, known_on()) as ageing_date,
        month_end <= known_on() as is_month_end,
    from (
        select last_day(unnest(generate_series(date_trunc('month', min(valid_from)), known_on(), interval 1 month))) as month_end
        from balances
    )
)

select
    key([invoice_id, strftime(ageing_date, '%Y-%m-%d')]) as receivable_ageing_id,
    invoice_id,
    customer_id,
    case
        when days_overdue <= 0 then 'not due'
        when days_overdue <= 30 then '1-30'
        when days_overdue <= 60 then '31-60'
        when days_overdue <= 90 then '61-90'
        else '91+'
    end as age_bucket,
    days_overdue,
    currency,
    open_amount,
    is_month_end,
    invoice_date,
    due_date,
    ageing_date,
from (
    select *, ageing_date - due_date as days_overdue
    from ageing_dates
    inner join balances on ageing_date >= valid_from and ageing_date < coalesce(valid_to, date '9999-12-31')
    where open_amount <> 0
)
