{#- left: what the schedule says of each balance transaction, right: what Stripe kept of it -#}
with transactions as (

    select
        found.balance_transaction_id,
        coalesce(payments.customer_id, disputes.customer_id) as customer_id,
        case
            when found.reporting_category = 'charge' then payments.payment_method_type
            when found.reporting_category = 'payout' then concat(payouts.method, '_payout')
            else found.reporting_category
        end as applies_to,
        found.reporting_category = 'charge' and found.exchange_rate is not null as is_converted,
        found.currency,
        found.gross_amount,
        {{ to_decimal('found.gross_amount - found.net_amount') }} as kept_amount,
        {{ date_of('found.created_at') }} as created_on,
    from {{ ref('fct_balance_transactions') }} as found
    left join {{ ref('fct_payments') }} as payments on found.source_id = payments.payment_id
    left join {{ ref('fct_disputes') }} as disputes on found.source_id = disputes.dispute_id
    left join {{ ref('fct_payouts') }} as payouts on found.source_id = payouts.payout_id

),

claims as (

    select
        balance_transaction_id,
        applies_to,
        currency,
        gross_amount,
        created_on,
    from transactions
    union all
    select
        balance_transaction_id,
        'currency_conversion' as applies_to,
        currency,
        gross_amount,
        created_on,
    from transactions
    where is_converted

),

scheduled as (

    select
        claims.balance_transaction_id,
        claims.currency,
        {{ multiply(multiply('abs(claims.gross_amount)', 'schedule.percent'), decimal_literal('0.01')) }} as percent_amount,
        schedule.fixed_amount,
        schedule.cap_amount,
    from claims
    inner join {{ ref('stripe_fee_schedule') }} as schedule
        on
            claims.applies_to = schedule.applies_to
            and claims.currency = schedule.currency
            and claims.created_on between schedule.valid_from and schedule.valid_to

),

rounded as (

    select
        balance_transaction_id,
        {{ to_decimal(round_to_minor_unit('percent_amount', 'currency') ~ ' + fixed_amount') }} as amount,
        cap_amount,
    from scheduled

),

expected as (

    select
        balance_transaction_id,
        {{ sum_decimal('case when amount > cap_amount then cap_amount else amount end') }} as amount,
    from rounded
    group by balance_transaction_id

),

left_side as (

    select
        transactions.balance_transaction_id as ref,
        transactions.customer_id,
        {{ year_month('transactions.created_on') }} as period,
        transactions.currency,
        expected.amount,
    from transactions
    inner join expected on transactions.balance_transaction_id = expected.balance_transaction_id

),

right_side as (

    select
        transactions.balance_transaction_id as ref,
        transactions.customer_id,
        {{ year_month('transactions.created_on') }} as period,
        transactions.currency,
        transactions.kept_amount as amount,
        transactions.applies_to,
        expected.balance_transaction_id is null as is_unscheduled,
    from transactions
    left join expected on transactions.balance_transaction_id = expected.balance_transaction_id
    where expected.balance_transaction_id is not null or transactions.kept_amount <> 0

),

{{ reconcile(
    comparison='collected__fees_vs_schedule',
    passes=[
        {'rule': 'balance_transaction', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'status': 'matched', 'when': 'm.is_different and r.applies_to is null'},
        {'cause': 'fee_off_schedule', 'when': 'm.is_different'},
    ],
    evidence={
        'applies_to': 'r.applies_to',
        'schedule': "case when r.is_unscheduled then 'no row in stripe_fee_schedule' else 'stripe_fee_schedule' end",
    },
) }}
