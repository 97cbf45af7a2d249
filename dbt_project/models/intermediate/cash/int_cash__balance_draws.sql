{{ config(materialized='table') }}

with transactions as (

    select
        transactions.balance_transaction_id,
        transactions.source_id,
        transactions.type,
        transactions.currency,
        transactions.fee_amount,
        transactions.net_amount,
        transactions.created_at,
        transactions.available_at,
        lists.payout_id is not null as is_listed,
    from {{ ref('stg_stripe__balance_transactions') }} as transactions
    left join {{ ref('int_cash__payout_lists') }} as lists
        on transactions.balance_transaction_id = lists.balance_transaction_id and lists.claim_no = 1
    left join {{ ref('int_cash__test_mode_objects') }} as test_mode on transactions.source_id = test_mode.object_id
    where not transactions.is_deleted and test_mode.object_id is null

),

payouts as (

    -- a payout by hand that Stripe takes off an automatic one is in that one's list: there is nothing to infer
    select
        payouts.payout_id,
        payouts.currency,
        payouts.created_at,
        payouts.method,
        payouts.is_automatic,
        payouts.amount + coalesce(debits.fee_amount, {{ decimal_literal('0') }}) as amount,
    from {{ ref('stg_stripe__payouts') }} as payouts
    left join transactions as debits on payouts.balance_transaction_id = debits.balance_transaction_id
    where
        payouts.is_livemode
        and not payouts.is_deleted
        and (payouts.is_automatic or not coalesce(debits.is_listed, false))

),

unlisted as (

    select * from transactions
    where not is_listed and type <> 'payout'

),

instants as (

    -- the next instant payout after a transaction was made: it can draw on what is still pending
    select
        balance_transaction_id,
        min(instant_at) over (
            partition by currency
            order by occurred_at, place, balance_transaction_id
            rows between current row and unbounded following
        ) as next_instant_at,
    from (
        select
            currency,
            balance_transaction_id,
            created_at as occurred_at,
            1 as place,
            cast(null as {{ timestamp_type() }}) as instant_at,
        from unlisted
        union all
        select
            currency,
            cast(null as string) as balance_transaction_id,
            created_at as occurred_at,
            2 as place,
            created_at as instant_at,
        from payouts
        where method = 'instant' and not is_automatic
    ) as moments

),

events as (

    select
        unlisted.balance_transaction_id as object_id,
        unlisted.currency,
        'transaction' as kind,
        1 as place,
        case
            when instants.next_instant_at < unlisted.available_at then instants.next_instant_at
            -- a refund is available from the start of its day, and yet not before it was made
            else greatest(unlisted.created_at, unlisted.available_at)
        end as occurred_at,
        unlisted.net_amount as amount,
    from unlisted
    inner join instants on unlisted.balance_transaction_id = instants.balance_transaction_id
    union all
    select
        payout_id as object_id,
        currency,
        case when is_automatic then 'automatic' else 'by_hand' end as kind,
        2 as place,
        created_at as occurred_at,
        amount,
    from payouts

),

in_order as (

    -- an automatic payout empties the balance: a payout by hand draws on what has become available since
    select
        *,
        row_number() over (partition by currency order by occurred_at, place, object_id) as event_no,
        sum(case when kind = 'automatic' then 1 else 0 end) over (
            partition by currency
            order by occurred_at, place, object_id
            rows between unbounded preceding and current row
        ) as segment_no,
    from events

),

summed as (

    select
        *,
        {{ to_decimal("sum(case when kind = 'transaction' then amount else 0 end) over segment") }} as available_amount,
        {{ to_decimal("sum(case when kind = 'by_hand' then amount else 0 end) over segment") }} as sent_amount,
    from in_order
    where kind <> 'automatic'
    window segment as (
        partition by currency, segment_no
        order by event_no
        rows between unbounded preceding and current row
    )

),

limited as (

    -- what was sent and nothing had brought in stays so: money that comes in later does not pay for it
    select
        *,
        coalesce(
            max(case when kind = 'by_hand' and sent_amount > available_amount then sent_amount - available_amount end) over (
                partition by currency, segment_no
                order by event_no
                rows between unbounded preceding and current row
            ),
            {{ decimal_literal('0') }}
        ) as uncovered_amount,
    from summed

),

placed as (

    -- first in, first out: a transaction ends where the running sum stands, a payout where what it could draw on does
    select
        *,
        case when kind = 'by_hand' then sent_amount - uncovered_amount else available_amount end as position,
    from limited

),

followed as (

    select
        *,
        min(case when kind = 'by_hand' then event_no end) over (
            partition by currency, segment_no
            order by event_no
            rows between current row and unbounded following
        ) as next_payout_no,
        min(case when kind = 'by_hand' then event_no end) over (
            partition by currency, segment_no
            order by position, place, event_no
            rows between current row and unbounded following
        ) as reaching_payout_no,
    from placed

),

paid as (

    select
        *,
        case
            when kind = 'transaction' and next_payout_no is not null and reaching_payout_no is not null
                then greatest(next_payout_no, reaching_payout_no)
        end as payout_event_no,
    from followed

),

rest as (

    -- what the payouts of a segment drew beyond whole transactions is part of the first that is left
    select
        *,
        {{ to_decimal("max(case when kind = 'by_hand' then position end) over (partition by currency, segment_no)") }}
        - {{ to_decimal("sum(case when payout_event_no is not null then amount else 0 end) over (partition by currency, segment_no)") }}
            as drawn_in_part_amount,
        row_number() over (
            partition by currency, segment_no, kind = 'transaction' and payout_event_no is null and amount > 0
            order by event_no
        ) as place_among_left,
    from paid

)

select
    object_id,
    currency,
    kind,
    segment_no,
    event_no,
    payout_event_no,
    amount,
    position,
    uncovered_amount,
    case
        when kind = 'by_hand' or payout_event_no is not null then {{ decimal_literal('0') }}
        when amount > 0 and place_among_left = 1 then amount - coalesce(drawn_in_part_amount, {{ decimal_literal('0') }})
        else amount
    end as unsettled_amount,
from rest
