{#- how credit comes (plus) and goes (minus); the types that move no balance are not among them -#}
{%- set signs = {'sold': 1, 'granted': 1, 'used': -1, 'expired': -1, 'voided': -1, 'refunded': -1} -%}
with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

movements as (

    select
        ledger.customer_id,
        case when ledger.cost_basis > 0 then 'paid' else 'promotional' end as credit_kind,
        ledger.cost_basis,
        ledger.currency,
        {{ date_of('ledger.created_at') }} as movement_date,
        case
            when ledger.entry_type = 'increment' and ledger.cost_basis > 0 then 'sold'
            when ledger.entry_type = 'increment' then 'granted'
            when ledger.entry_type in ('decrement', 'amendment') then 'used'
            when ledger.entry_type = 'credit_block_expiry' then 'expired'
            when ledger.entry_type = 'void' and returned.return_kind = 'refunded' then 'refunded'
            when ledger.entry_type = 'void' then 'voided'
        end as movement_kind,
        ledger.movement,
        {{ decimal_literal('0') }} as early_breakage_amount,
    from {{ ref('int_credits__ledger_movements') }} as ledger
    left join {{ ref('int_credits__returned_top_ups') }} as returned on ledger.payment_intent_id = returned.payment_intent_id
    left join {{ ref('dim_customers') }} as customers on ledger.customer_id = customers.customer_id
    where ledger.movement <> 0 and not coalesce(customers.is_internal, false)
    union all
    select
        customer_id,
        'paid' as credit_kind,
        cost_basis,
        currency,
        revenue_date as movement_date,
        cast(null as string) as movement_kind,
        {{ decimal_literal('0') }} as movement,
        ahead_amount as early_breakage_amount,
    from {{ ref('int_revenue__breakage') }}
    where breakage_policy = '{{ var("breakage_policy") }}' and ahead_amount <> 0

),

by_month as (

    select
        customer_id,
        credit_kind,
        cost_basis,
        currency,
        {{ truncate_date('month', 'movement_date') }} as month_start,
        {% for kind, sign in signs.items() -%}
        {{ sum_decimal("case when movement_kind = '" ~ kind ~ "' then " ~ ('-' if sign < 0) ~ 'movement else 0 end') }} as {{ kind }}_credits,
        {% endfor -%}
        {{ sum_decimal('movement') }} as movement,
        {{ sum_decimal('early_breakage_amount') }} as early_breakage_amount,
    from movements
    group by customer_id, credit_kind, cost_basis, currency, {{ truncate_date('month', 'movement_date') }}

),

accounts as (

    select
        customer_id,
        credit_kind,
        cost_basis,
        currency,
        min(month_start) as first_month,
        max(month_start) as last_month,
    from by_month
    group by customer_id, credit_kind, cost_basis, currency

),

months as (

    select
        accounts.customer_id,
        accounts.credit_kind,
        accounts.cost_basis,
        accounts.currency,
        month_start,
    from accounts
    cross join known
    cross join {{ month_series('accounts.first_month', 'greatest(accounts.last_month, known.known_on)', 'month_start') }}

),

rolled as (

    select
        months.customer_id,
        months.credit_kind,
        months.cost_basis,
        months.currency,
        months.month_start,
        {% for kind in signs -%}
        coalesce(by_month.{{ kind }}_credits, {{ decimal_literal('0') }}) as {{ kind }}_credits,
        {% endfor -%}
        coalesce(by_month.movement, {{ decimal_literal('0') }}) as movement,
        {{ to_decimal('sum(coalesce(by_month.movement, 0)) over account_to_date') }} as closing_credits,
        {{ to_decimal('sum(coalesce(by_month.early_breakage_amount, 0)) over account_to_date') }} as early_breakage_amount,
    from months
    left join by_month
        on
            coalesce(months.customer_id, '') = coalesce(by_month.customer_id, '')
            and months.credit_kind = by_month.credit_kind
            and months.cost_basis = by_month.cost_basis
            and months.currency = by_month.currency
            and months.month_start = by_month.month_start
    window account_to_date as (
        partition by months.customer_id, months.credit_kind, months.cost_basis, months.currency order by months.month_start
    )

),

valued as (

    select
        *,
        {{ to_decimal('closing_credits - movement') }} as opening_credits,
    from rolled

)

select
    {{ surrogate_key(['customer_id', 'credit_kind', decimal_text('cost_basis'), 'currency', year_month('month_start')]) }} as credit_liability_id,
    customer_id,
    credit_kind,
    currency,
    {{ year_month('month_start') }} as period,
    cost_basis,
    {% for step in ['opening'] + signs | list + ['closing'] -%}
    {{ step }}_credits,
    {% endfor -%}
    {% for step in ['opening'] + signs | list + ['closing'] -%}
    {{ multiply(step ~ '_credits', 'cost_basis') }} as {{ step }}_amount,
    {% endfor -%}
    early_breakage_amount,
    {{ to_decimal(multiply('closing_credits', 'cost_basis') ~ ' - early_breakage_amount') }} as liability_amount,
    {{ certified_through() }} as certified_through,
from valued
where
    opening_credits <> 0
    or closing_credits <> 0
    {%- for kind in signs %}
    or {{ kind }}_credits <> 0
    {%- endfor %}
