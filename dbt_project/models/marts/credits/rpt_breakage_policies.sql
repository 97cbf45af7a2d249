with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

policies as (

    {% for policy in ['on_expiry', 'proportional', 'remote'] -%}
    select '{{ policy }}' as breakage_policy
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

movements as (

    select
        policies.breakage_policy,
        ledger.customer_id,
        ledger.currency,
        {{ truncate_date('month', date_of('ledger.created_at')) }} as month_start,
        {{ multiply('ledger.movement', 'ledger.cost_basis') }} as credit_amount,
        {{ decimal_literal('0') }} as recognised_amount,
        {{ decimal_literal('0') }} as ahead_amount,
    from {{ ref('int_credits__ledger_movements') }} as ledger
    cross join policies
    left join {{ ref('dim_customers') }} as customers on ledger.customer_id = customers.customer_id
    where ledger.cost_basis > 0 and not coalesce(customers.is_internal, false)
    union all
    select
        breakage_policy,
        customer_id,
        currency,
        {{ truncate_date('month', 'revenue_date') }} as month_start,
        {{ decimal_literal('0') }} as credit_amount,
        amount as recognised_amount,
        ahead_amount,
    from {{ ref('int_revenue__breakage') }}

),

by_month as (

    select
        breakage_policy,
        customer_id,
        currency,
        month_start,
        {{ sum_decimal('credit_amount - ahead_amount') }} as liability_change,
        {{ sum_decimal('recognised_amount') }} as recognised_amount,
    from movements
    group by breakage_policy, customer_id, currency, month_start

),

accounts as (

    select
        breakage_policy,
        customer_id,
        currency,
        min(month_start) as first_month,
        max(month_start) as last_month,
    from by_month
    group by breakage_policy, customer_id, currency

),

months as (

    select
        accounts.breakage_policy,
        accounts.customer_id,
        accounts.currency,
        month_start,
    from accounts
    cross join known
    cross join {{ month_series('accounts.first_month', 'greatest(accounts.last_month, known.known_on)', 'month_start') }}

)

select
    {{ surrogate_key(['months.breakage_policy', 'months.customer_id', 'months.currency', year_month('months.month_start')]) }} as breakage_policy_month_id,
    months.customer_id,
    months.breakage_policy,
    months.currency,
    {{ year_month('months.month_start') }} as period,
    coalesce(by_month.recognised_amount, {{ decimal_literal('0') }}) as recognised_amount,
    {{ to_decimal('sum(coalesce(by_month.recognised_amount, 0)) over account_to_date') }} as recognised_to_date_amount,
    {{ to_decimal('sum(coalesce(by_month.liability_change, 0)) over account_to_date') }} as liability_amount,
    months.breakage_policy = '{{ var("breakage_policy") }}' as is_booked,
    {{ certified_through() }} as certified_through,
from months
left join by_month
    on
        months.breakage_policy = by_month.breakage_policy
        and months.customer_id is not distinct from by_month.customer_id
        and months.currency = by_month.currency
        and months.month_start = by_month.month_start
window account_to_date as (partition by months.breakage_policy, months.customer_id, months.currency order by months.month_start)
