with entries as (

    select
        *,
        lag(ending_balance) over ledger as previous_ending_balance,
        lag(starting_balance + movement) over ledger as previous_starting_and_moved,
        lag(sequence_number) over ledger as previous_sequence_number,
        lag(sequence_number, 2) over ledger as sequence_number_before_that,
    from {{ ref('int_credits__ledger_movements') }}
    window ledger as (partition by orb_customer_id, currency order by ledger_position)

),

checked as (

    select
        *,
        starting_balance + movement = ending_balance as adds_up,
        case
            -- a ledger that does not begin at nothing has lost its beginning
            when previous_sequence_number is null then starting_balance <> 0 and starting_balance + movement = ending_balance
            -- one wrong number is one break: the entry after it is in step again
            else
                sequence_number <> previous_sequence_number + 1
                and coalesce(sequence_number <> sequence_number_before_that + 2, true)
        end as is_out_of_sequence,
        case
            when starting_balance + movement <> ending_balance then starting_balance
            -- the balance that the entry before it should have stated
            when starting_balance = previous_starting_and_moved then starting_balance
            else coalesce(previous_ending_balance, {{ decimal_literal('0') }})
        end as carried_balance,
    from entries

),

left_side as (

    select
        ledger_entry_id as ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        movement as amount,
        entry_type,
        sequence_number,
        previous_sequence_number,
        adds_up,
        is_out_of_sequence,
    from checked

),

right_side as (

    select
        ledger_entry_id as ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        ending_balance - carried_balance as amount,
    from checked

),

{{ reconcile(
    comparison='credits__movements_vs_balances',
    passes=[
        {'rule': 'ledger_entry', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'ledger_gap', 'when': 'l.is_out_of_sequence'},
        {'cause': 'ledger_arithmetic', 'when': 'm.is_different and not l.adds_up'},
    ],
    evidence={
        'entry_type': 'l.entry_type',
        'sequence_number': 'cast(l.sequence_number as string)',
        'previous_sequence_number': 'cast(l.previous_sequence_number as string)',
        'missing_from': "case when l.sequence_number > l.previous_sequence_number + 1 then cast(l.previous_sequence_number + 1 as string) end",
        'starting_balance_and_amount_are_the_ending_balance': 'cast(l.adds_up as string)',
    },
) }}
