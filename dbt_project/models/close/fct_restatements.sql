with lock as (

    select * from {{ ref('int_close__lock') }}

),

today as (

    select figures.*
    from {{ ref('fct_close_figures') }} as figures
    cross join lock
    where figures.period <= lock.closed_through

),

compared as (

    {% for source, closed, current in [
        (ref('fct_close_ledger'), 'amount', decimal_literal('0')),
        ('today', decimal_literal('0'), 'amount'),
    ] -%}
    select
        figure,
        detail,
        customer_id,
        product_id,
        currency,
        period,
        {{ closed }} as closed_amount,
        {{ current }} as current_amount,
    from {{ source }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    {{ surrogate_key(['figure', 'detail', 'customer_id', 'product_id', 'currency', 'period']) }} as figure_id,
    figure,
    detail,
    customer_id,
    product_id,
    currency,
    period,
    {{ sum_decimal('closed_amount') }} as closed_amount,
    {{ sum_decimal('current_amount') }} as current_amount,
    {{ sum_decimal('current_amount - closed_amount') }} as difference,
from compared
group by figure, detail, customer_id, product_id, currency, period
having difference <> 0
