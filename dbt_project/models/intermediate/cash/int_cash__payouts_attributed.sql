with listed as (

    select
        payout_id,
        count(*) as transaction_count,
        {{ sum_decimal('net_amount') }} as net_amount,
    from {{ ref('int_cash__payout_lists') }}
    where claim_no = 1
    group by payout_id

),

drawn as (

    select
        currency,
        payout_event_no,
        count(*) as transaction_count,
        {{ sum_decimal('amount') }} as net_amount,
    from {{ ref('int_cash__balance_draws') }}
    where payout_event_no is not null
    group by currency, payout_event_no

),

inferred as (

    -- what it could draw on, and how much of that is part of a transaction that a later payout completes
    select
        payouts.object_id as payout_id,
        coalesce(drawn.transaction_count, 0) as transaction_count,
        payouts.amount - payouts.uncovered_amount + lag(payouts.uncovered_amount, 1, {{ decimal_literal('0') }}) over segment as net_amount,
        payouts.position - coalesce(sum(drawn.net_amount) over segment, {{ decimal_literal('0') }}) as remainder_amount,
    from {{ ref('int_cash__balance_draws') }} as payouts
    left join drawn on payouts.currency = drawn.currency and payouts.event_no = drawn.payout_event_no
    where payouts.kind = 'by_hand'
    window segment as (partition by payouts.currency, payouts.segment_no order by payouts.event_no)

),

attributed as (

    select
        payouts.payout_id,
        case
            when inferred.payout_id is not null then 'inferred'
            when not payouts.is_automatic then 'deducted'
            when payouts.reconciliation_status = 'completed' then 'listed'
            else 'not_listed_yet'
        end as attribution,
        payouts.amount,
        coalesce(debits.fee_amount, {{ decimal_literal('0') }}) as fee_amount,
        coalesce(inferred.net_amount, listed.net_amount, {{ decimal_literal('0') }}) as net_amount,
        coalesce(inferred.remainder_amount, {{ decimal_literal('0') }}) as remainder_amount,
        coalesce(inferred.transaction_count, listed.transaction_count, 0) as transaction_count,
    from {{ ref('stg_stripe__payouts') }} as payouts
    left join {{ ref('stg_stripe__balance_transactions') }} as debits on payouts.balance_transaction_id = debits.balance_transaction_id
    left join listed on payouts.payout_id = listed.payout_id
    left join inferred on payouts.payout_id = inferred.payout_id
    where payouts.is_livemode and not payouts.is_deleted

)

select
    payout_id,
    attribution,
    fee_amount,
    {{ to_decimal("case when attribution = 'deducted' then amount else net_amount - fee_amount end") }} as transactions_amount,
    {{ to_decimal('remainder_amount') }} as remainder_amount,
    case
        when attribution = 'inferred'
            then {{ round_half_away(divide('net_amount - remainder_amount', 'amount + fee_amount'), 4) }}
        when attribution <> 'not_listed_yet' then {{ decimal_literal('1') }}
    end as confidence,
    transaction_count,
from attributed
