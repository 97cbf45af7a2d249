with movements as (

    select * from {{ ref('int_credits__ledger_movements') }}

),

draws as (

    select
        *,
        -movement as taken,
        {{ date_of('created_at') }} as drawn_on,
        max({{ date_of('created_at') }}) over (partition by orb_customer_id, currency) as last_drawn_on,
    from movements
    where entry_type = 'decrement' and movement < 0

),

last_draws as (

    select distinct
        orb_customer_id,
        currency,
        last_drawn_on,
    from draws

),

balances as (

    select
        *,
        lead(ledger_position) over block as next_position,
        lead(created_at) over block as next_at,
    from movements
    window block as (partition by credit_block_id order by ledger_position)

),

held as (

    -- between two entries of a block its balance stands still; where none stands between, nobody could pass it over
    select
        balances.orb_customer_id,
        balances.currency,
        balances.credit_block_id,
        balances.ledger_position,
        balances.next_position,
        balances.block_balance,
        balances.cost_basis,
        balances.block_effective_at,
        balances.block_expires_at,
        {{ date_of('balances.created_at') }} as held_from,
        coalesce({{ date_of('balances.next_at') }}, last_draws.last_drawn_on) as held_until,
    from balances
    inner join last_draws on balances.orb_customer_id = last_draws.orb_customer_id and balances.currency = last_draws.currency
    where
        balances.block_balance > 0
        and not balances.is_filtered
        and coalesce(balances.next_position > balances.ledger_position + 1, true)

),

held_days as (

    -- by days, so that a draw meets the blocks that stood beside it and not the customer's whole history
    select
        held.*,
        held_on,
    from held
    cross join {{ day_series('held.held_from', 'held.held_until', 'held_on') }}

),

passed_over as (

    select
        draws.ledger_entry_id,
        held_days.credit_block_id,
        sum(held_days.block_balance) over (partition by draws.ledger_entry_id) as left_in_earlier_blocks,
    from draws
    inner join held_days
        on
            draws.orb_customer_id = held_days.orb_customer_id
            and draws.currency = held_days.currency
            and draws.drawn_on = held_days.held_on
    where
        held_days.credit_block_id <> draws.credit_block_id
        and held_days.ledger_position < draws.ledger_position
        and (held_days.next_position is null or held_days.next_position > draws.ledger_position)
        and (held_days.block_effective_at is null or held_days.block_effective_at <= draws.created_at)
        and held_days.block_expires_at > draws.created_at
        and (
            held_days.block_expires_at < draws.block_expires_at
            or (held_days.block_expires_at = draws.block_expires_at and held_days.cost_basis < draws.cost_basis)
        )
    qualify row_number() over (
        partition by draws.ledger_entry_id order by held_days.block_expires_at, held_days.cost_basis, held_days.credit_block_id
    ) = 1

),

left_side as (

    select
        draws.ledger_entry_id as ref,
        draws.customer_id,
        {{ year_month('draws.drawn_on') }} as period,
        draws.currency,
        case
            when draws.block_expires_at <= draws.created_at then {{ decimal_literal('0') }}
            when passed_over.left_in_earlier_blocks > draws.taken then {{ decimal_literal('0') }}
            else draws.taken - coalesce(passed_over.left_in_earlier_blocks, 0)
        end as amount,
        draws.credit_block_id,
        passed_over.credit_block_id as earlier_block_id,
        draws.block_expires_at,
        draws.block_expires_at <= draws.created_at as is_expired,
    from draws
    left join passed_over on draws.ledger_entry_id = passed_over.ledger_entry_id

),

right_side as (

    select
        ledger_entry_id as ref,
        customer_id,
        {{ year_month('drawn_on') }} as period,
        currency,
        taken as amount,
    from draws

),

{{ reconcile(
    comparison='credits__draw_order_vs_ledger',
    passes=[
        {'rule': 'ledger_entry', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'expired_credit_drawn', 'when': 'm.is_different and l.is_expired'},
        {'cause': 'draw_order_wrong', 'when': 'm.is_different'},
    ],
    evidence={
        'block_drawn': 'l.credit_block_id',
        'block_that_had_to_go_first': 'l.earlier_block_id',
        'block_expires_at': instant_text('l.block_expires_at'),
    },
) }}
