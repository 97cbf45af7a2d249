{#- left: every movement of money that Stripe's objects tell of, right: the balance that it must be in -#}
with in_doubt as (

    -- a charge that does not take what its payment says is a break already: one cause, one break
    select payments.payment_id as source_id
    from {{ ref('rec_collected__payments_vs_charges') }} as matches
    inner join {{ ref('fct_payments') }} as payments on matches.left_ref = coalesce(payments.payment_intent_id, payments.payment_id)
    where matches.cause = 'unexplained'

),

transactions as (

    select found.*
    from {{ ref('fct_balance_transactions') }} as found
    left join in_doubt on found.source_id = in_doubt.source_id
    where
        in_doubt.source_id is null
        and found.reporting_category in ('charge', 'refund', 'refund_failure', 'dispute', 'dispute_reversal')

),

movements as (

    select
        payment_id as ref,
        payment_id as source_id,
        'charge' as kind,
        customer_id,
        currency,
        amount_captured as amount,
        balance_transaction_id,
        created_at,
    from {{ ref('fct_payments') }}
    where status = 'succeeded'
    union all
    select
        refund_id as ref,
        refund_id as source_id,
        'refund' as kind,
        customer_id,
        currency,
        -amount as amount,
        balance_transaction_id,
        created_at,
    from {{ ref('fct_refunds') }}
    where status = 'succeeded' or balance_transaction_id is not null
    union all
    select
        concat(refund_id, '/failure') as ref,
        refund_id as source_id,
        'refund_failure' as kind,
        customer_id,
        currency,
        amount,
        failure_balance_transaction_id as balance_transaction_id,
        created_at,
    from {{ ref('fct_refunds') }}
    where failure_balance_transaction_id is not null or status = 'failed' and balance_transaction_id is not null
    union all
    select
        dispute_id as ref,
        dispute_id as source_id,
        'dispute' as kind,
        customer_id,
        currency,
        -amount as amount,
        cast(null as string) as balance_transaction_id,
        created_at,
    from {{ ref('fct_disputes') }}
    where is_withdrawn
    union all
    select
        concat(dispute_id, '/reversal') as ref,
        dispute_id as source_id,
        'dispute_reversal' as kind,
        customer_id,
        currency,
        amount,
        cast(null as string) as balance_transaction_id,
        created_at,
    from {{ ref('fct_disputes') }}
    where status = 'won'

),

rates as (

    select
        source_id,
        reporting_category,
        currency,
        exchange_rate,
    from transactions
    where exchange_rate is not null
    qualify row_number() over (partition by source_id, reporting_category order by created_at, balance_transaction_id) = 1

),

converted as (

    select
        movements.*,
        rates.currency as settlement_currency,
        {{ multiply('movements.amount', 'rates.exchange_rate') }} as converted_amount,
        {{ minor_unit('movements.currency', 'stripe') }} as own_unit,
        {{ minor_unit('rates.currency', 'stripe') }} as settlement_unit,
    from movements
    left join in_doubt on movements.source_id = in_doubt.source_id
    left join rates on movements.source_id = rates.source_id and movements.kind = rates.reporting_category
    where in_doubt.source_id is null

),

left_side as (

    -- Stripe's rate is between minor units
    select
        ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        coalesce(settlement_currency, currency) as currency,
        case
            when settlement_currency is null then amount
            else {{ round_to_minor_unit(divide(multiply('converted_amount', 'settlement_unit'), 'own_unit'), 'settlement_currency') }}
        end as amount,
        source_id,
        kind,
        case when kind in ('charge', 'refund') then balance_transaction_id end as balance_transaction_id,
        case when kind in ('charge', 'refund', 'dispute') then {{ date_of('created_at') }} end as moved_on,
        currency as own_currency,
        settlement_currency,
    from converted

),

right_side as (

    select
        balance_transaction_id as ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        gross_amount as amount,
        source_id,
        reporting_category,
        payout_id,
        created_at,
        {{ date_of('created_at') }} as booked_on,
    from transactions

),

{%- set days_apart = 'abs(' ~ date_difference('day', 'l.moved_on', 'r.booked_on') ~ ')' %}

{{ reconcile(
    comparison='collected__movements_vs_balance_transactions',
    passes=[
        {
            'rule': 'source',
            'on': 'r.source_id = l.source_id and r.reporting_category = l.kind',
            'nearest': 'case when r.ref = l.balance_transaction_id then 0 else 1 end, r.created_at',
        },
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.source_id = l.source_id and r.reporting_category = l.kind'},
    ],
    causes=[
        {'cause': 'balance_transaction_duplicated', 'when': "m.match_rule = 'second_claim'"},
        {'cause': 'balance_transaction_missing', 'when': 'm.right_ref is null'},
        {'cause': 'conversion_differs', 'when': 'm.is_different and l.settlement_currency = r.currency'},
        {'cause': 'unexplained', 'when': 'l.balance_transaction_id <> r.ref or ' ~ days_apart ~ ' > settings.window_days'},
    ],
    evidence={
        'kind': 'coalesce(l.kind, r.reporting_category)',
        'source_id': 'coalesce(l.source_id, r.source_id)',
        'own_currency': 'l.own_currency',
        'payout_id': 'r.payout_id',
        'named_balance_transaction': 'l.balance_transaction_id',
        'moved_on': 'cast(l.moved_on as string)',
        'booked_on': 'cast(r.booked_on as string)',
    },
) }}
