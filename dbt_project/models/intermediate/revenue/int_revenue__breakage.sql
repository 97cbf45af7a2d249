{#- breakage to date of a block = what has expired + what is taken for lost before it expires; a day is the difference to the day before -#}
{{ config(materialized='table') }}

{%- set policies = ['on_expiry', 'proportional', 'remote'] %}
{%- set rate = decimal_literal(var('breakage_expected_rate')) %}
{%- set kept = decimal_literal('1') ~ ' - ' ~ rate %}

with movements as (

    select
        ledger.customer_id,
        ledger.credit_block_id,
        ledger.cost_basis,
        ledger.currency,
        ledger.entry_type,
        {{ multiply('ledger.movement', 'ledger.cost_basis') }} as amount,
        {{ date_of('ledger.created_at') }} as movement_date,
    from {{ ref('int_credits__ledger_movements') }} as ledger
    left join {{ ref('dim_customers') }} as customers on ledger.customer_id = customers.customer_id
    where ledger.cost_basis > 0 and not coalesce(customers.is_internal, false)

),

known_until as (

    -- a ledger that stands still says nothing of days without a use
    select max({{ date_of('created_at') }}) as known_until from {{ ref('int_credits__ledger_movements') }}

),

signs_of_life as (

    select
        customer_id,
        currency,
        movement_date,
        lead(movement_date) over (partition by customer_id, currency order by movement_date) as next_date,
    from movements
    where entry_type in ('increment', 'decrement')
    group by customer_id, currency, movement_date

),

lapses as (

    -- the customer, not the block: a block waits while another one is drawn from
    select
        life.customer_id,
        life.currency,
        {{ add_to_date('day', var('breakage_remote_days'), 'life.movement_date') }} as starts_on,
        life.next_date as ends_on,
    from signs_of_life as life
    cross join known_until
    where
        {{ add_to_date('day', var('breakage_remote_days'), 'life.movement_date') }}
        < coalesce(life.next_date, {{ add_to_date('day', 1, 'known_until.known_until') }})

),

blocks as (

    select
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        min(movement_date) as first_date,
    from movements
    group by customer_id, credit_block_id, cost_basis, currency

),

changes as (

    select
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        amount,
        case when entry_type in ('increment', 'void') then amount else 0 end as bought_amount,
        case when entry_type in ('decrement', 'amendment') then -amount else 0 end as used_amount,
        case when entry_type = 'credit_block_expiry' then -amount else 0 end as expired_amount,
        movement_date as change_date,
    from movements
    {% for day in ['starts_on', 'ends_on'] -%}
    union all
    select
        blocks.customer_id,
        blocks.credit_block_id,
        blocks.cost_basis,
        blocks.currency,
        0 as amount,
        0 as bought_amount,
        0 as used_amount,
        0 as expired_amount,
        lapses.{{ day }} as change_date,
    from lapses
    inner join blocks
        on lapses.customer_id = blocks.customer_id and lapses.currency = blocks.currency and lapses.{{ day }} > blocks.first_date
    {% endfor %}
),

days as (

    select
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        {% for amount in ['amount', 'bought_amount', 'used_amount', 'expired_amount'] -%}
        {{ sum_decimal(amount) }} as {{ amount }},
        {% endfor -%}
        change_date,
    from changes
    group by customer_id, credit_block_id, cost_basis, currency, change_date

),

to_date as (

    select
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        {% for amount, name in [('amount', 'balance'), ('bought_amount', 'bought'), ('used_amount', 'used'), ('expired_amount', 'expired')] -%}
        {{ to_decimal('sum(' ~ amount ~ ') over (partition by credit_block_id, cost_basis order by change_date)') }} as {{ name }},
        {% endfor -%}
        change_date,
    from days

),

remote_days as (

    select
        to_date.*,
        lapses.starts_on is not null as is_remote,
    from to_date
    left join lapses
        on
            to_date.customer_id = lapses.customer_id
            and to_date.currency = lapses.currency
            and to_date.change_date >= lapses.starts_on
            and (lapses.ends_on is null or to_date.change_date < lapses.ends_on)

),

{%- set ahead = {
    'on_expiry': decimal_literal('0'),
    'proportional': round_to_minor_unit(
        'least(balance, ' ~ multiply('bought', rate) ~ ', ' ~ divide(multiply('greatest(used, 0)', rate), kept) ~ ')', 'currency'
    ),
    'remote': 'case when is_remote then balance else ' ~ decimal_literal('0') ~ ' end',
} %}

ahead_by_policy as (

    {% for policy in policies -%}
    select
        '{{ policy }}' as breakage_policy,
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        expired,
        case when balance > 0 and bought > 0 then {{ ahead[policy] }} else {{ decimal_literal('0') }} end as ahead,
        change_date,
    from remote_days
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

recognised as (

    select
        breakage_policy,
        customer_id,
        credit_block_id,
        cost_basis,
        currency,
        {{ to_decimal('expired + ahead - lag(expired + ahead, 1, 0) over block_to_date') }} as amount,
        {{ to_decimal('ahead - lag(ahead, 1, 0) over block_to_date') }} as ahead_amount,
        change_date as revenue_date,
    from ahead_by_policy
    window block_to_date as (partition by breakage_policy, credit_block_id, cost_basis order by change_date)

)

select
    breakage_policy,
    customer_id,
    credit_block_id,
    cost_basis,
    currency,
    amount,
    ahead_amount,
    revenue_date,
from recognised
where amount <> 0 or ahead_amount <> 0
