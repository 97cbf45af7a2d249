-- What has changed in the books of this month since it was closed?
-- Of a month that nobody has closed there is only what the books say today.

with closed as (

    select
        figure,
        currency,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_close_ledger') }}
    where period = '{{ var("month") }}' and figure not in ('usage', 'bridge')
    group by figure, currency

),

today as (

    select
        figure,
        currency,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_close_figures') }}
    where period = '{{ var("month") }}' and figure not in ('usage', 'bridge')
    group by figure, currency

)

select
    coalesce(closed.figure, today.figure) as account,
    coalesce(closed.currency, today.currency) as currency,
    closed.amount as closed_amount,
    today.amount as current_amount,
    today.amount - closed.amount as changed_amount,
from closed
full join today on closed.figure = today.figure and closed.currency = today.currency
order by account, currency
