{#- left: what a line of the bank moved, right: what its balance moved by. Lines of a day may stand in any order -#}
with lines as (

    select
        *,
        lag(balance) over statement as balance_before,
        lag(balance, 2) over statement as balance_before_that,
        lag(amount) over statement as amount_before,
        lag(booked_on) over statement as booked_before,
        row_number() over (partition by account_id, booked_on, amount, balance order by bank_line_id) as time_no,
        -- an account has one currency: the one that most of its lines have
        case
            when 2 * count(*) over (partition by account_id, currency) >= count(*) over (partition by account_id) then currency
            when currency = min(currency) over (partition by account_id) then max(currency) over (partition by account_id)
            else min(currency) over (partition by account_id)
        end as account_currency,
    from {{ ref('fct_bank_lines') }}
    where balance is not null
    window statement as (partition by account_id order by booked_on, bank_line_id)

),

starts as (

    select
        *,
        balance - amount as starts_from,
        dense_rank() over (partition by account_id order by booked_on) as day_no,
        row_number() over (partition by account_id, balance - amount order by booked_on, bank_line_id) as start_no,
    from lines

),

openings as (

    -- what more lines start from than end at: where the account was opened, or a line is missing
    select
        account_id,
        balance,
    from (
        select
            account_id,
            starts_from as balance,
            1 as times,
        from starts
        union all
        select
            account_id,
            balance,
            -1 as times,
        from starts
    ) as ends
    group by account_id, balance
    having sum(times) > 0

),

opened_accounts as (select distinct account_id from openings),

followed as (

    -- the balance that a line starts from, and the day of the line that left it
    select
        starts.bank_line_id,
        max(case when before.day_no <= starts.day_no then before.day_no end) as day_before,
        min(before.booked_on) as balance_booked_on,
    from starts
    inner join starts as before
        on
            starts.account_id = before.account_id
            and starts.starts_from = before.balance
            and starts.bank_line_id <> before.bank_line_id
    group by starts.bank_line_id

),

turns as (

    select
        starts.*,
        followed.day_before,
        followed.balance_booked_on,
        followed.bank_line_id is null or coalesce(starts.day_no - followed.day_before <= 1, false) as is_in_turn,
    from starts
    left join followed on starts.bank_line_id = followed.bank_line_id

),

days as (

    select
        account_id,
        day_no,
        sum(sum(case when is_in_turn then 1 else 0 end)) over (partition by account_id order by day_no) as in_turn_until,
    from turns
    group by account_id, day_no

),

out_of_turn as (

    -- between a line and the one that it follows others stand that are in turn
    select
        turns.bank_line_id,
        turns.account_id,
        turns.starts_from,
        turns.balance,
    from turns
    left join days as day_before on turns.account_id = day_before.account_id and turns.day_before = day_before.day_no
    left join days as yesterday on turns.account_id = yesterday.account_id and turns.day_no - 1 = yesterday.day_no
    left join openings on turns.account_id = openings.account_id and turns.starts_from = openings.balance and turns.start_no = 1
    left join opened_accounts on turns.account_id = opened_accounts.account_id
    where
        not turns.is_in_turn
        and openings.balance is null
        -- an account that ends with what it began with begins with its first line
        and (turns.balance_before is not null or opened_accounts.account_id is not null)
        and coalesce(yesterday.in_turn_until > day_before.in_turn_until, true)

),

moved as (

    -- a line that is booked on another day puts the one that follows it out of turn too
    select distinct
        out_of_turn.bank_line_id,
        follower.bank_line_id as follower_id,
    from out_of_turn
    inner join out_of_turn as follower
        on out_of_turn.account_id = follower.account_id and out_of_turn.balance = follower.starts_from

),

checked as (

    select
        turns.*,
        out_of_turn.bank_line_id is not null and followers.follower_id is null as is_out_of_turn,
        case
            when turns.time_no > 1 and turns.amount <> 0 then {{ decimal_literal('0') }}
            when
                turns.balance_before is null
                -- one wrong balance is one break: the line after it is in step again
                or turns.balance_before_that + turns.amount_before + turns.amount = turns.balance
                then turns.amount
            when
                turns.balance_booked_on is not null
                and (
                    out_of_turn.bank_line_id is null
                    or followers.follower_id is not null
                    or moving.bank_line_id is not null
                    or turns.booked_on < turns.balance_booked_on and openings.balance is null
                )
                then turns.amount
            else turns.balance - turns.balance_before
        end as balance_moved_by,
    from turns
    left join out_of_turn on turns.bank_line_id = out_of_turn.bank_line_id
    left join openings on turns.account_id = openings.account_id and turns.starts_from = openings.balance
    left join (select distinct follower_id from moved) as followers on turns.bank_line_id = followers.follower_id
    left join (select distinct bank_line_id from moved) as moving on turns.bank_line_id = moving.bank_line_id

),

{% for side, amount, currency in [('left_side', 'amount', 'account_currency as currency'), ('right_side', 'balance_moved_by', 'currency')] -%}
{{ side }} as (

    select
        bank_line_id as ref,
        cast(null as string) as customer_id,
        {{ year_month('booked_on') }} as period,
        {{ currency }},
        {{ amount }} as amount,
        balance,
        balance_before,
        booked_before,
        booked_on,
        balance_booked_on,
        is_out_of_turn,
    from checked

),

{% endfor -%}
{{ reconcile(
    comparison='banked__lines_vs_balances',
    passes=[
        {'rule': 'bank_line', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.is_different or l.is_out_of_turn'},
    ],
    evidence={
        'balance': decimal_text('l.balance'),
        'balance_before': decimal_text('l.balance_before'),
        'booked_on': 'cast(l.booked_on as string)',
        'balance_before_booked_on': 'cast(coalesce(l.balance_booked_on, l.booked_before) as string)',
    },
) }}
