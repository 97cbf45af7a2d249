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

balances as (

    select
        account_id,
        balance,
        min(booked_on) as booked_on,
    from lines
    group by account_id, balance

),

checked as (

    select
        lines.*,
        found.booked_on as balance_booked_on,
        case
            when lines.time_no > 1 and lines.amount <> 0 then {{ decimal_literal('0') }}
            when
                lines.balance_before is null
                or found.balance is not null
                -- one wrong balance is one break: the line after it is in step again
                or lines.balance_before_that + lines.amount_before + lines.amount = lines.balance
                then lines.amount
            else lines.balance - lines.balance_before
        end as balance_moved_by,
    from lines
    left join balances as found on lines.account_id = found.account_id and lines.balance - lines.amount = found.balance

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
    from checked

),

{% endfor -%}
{{ reconcile(
    comparison='banked__lines_vs_balances',
    passes=[
        {'rule': 'bank_line', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.is_different or l.balance_before is not null and l.booked_on < l.balance_booked_on'},
    ],
    evidence={
        'balance': decimal_text('l.balance'),
        'balance_before': decimal_text('l.balance_before'),
        'booked_on': 'cast(l.booked_on as string)',
        'balance_before_booked_on': 'cast(coalesce(l.balance_booked_on, l.booked_before) as string)',
    },
    upstream={'banked__payouts_vs_bank': 1},
) }}
