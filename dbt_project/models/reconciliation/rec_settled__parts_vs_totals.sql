{#- left: what else Stripe says of a transaction or of its place in a payout, right: what it says itself -#}
with transactions as (

    select
        details.*,
        facts.payout_id,
    from {{ ref('stg_stripe__balance_transactions') }} as details
    inner join {{ ref('fct_balance_transactions') }} as facts on details.balance_transaction_id = facts.balance_transaction_id

),

own_entries as (

    select
        payout_id,
        {{ sum_decimal('gross_amount') }} as gross_amount,
    from {{ ref('stg_stripe__payout_transactions') }}
    where type = 'payout' and source_id = payout_id and not is_deleted
    group by payout_id

),

figures as (

    select
        balance_transaction_id as ref,
        'balance transaction' as document,
        cast(null as string) as payout_id,
        cast(null as string) as balance_transaction_id,
        currency as parts_currency,
        currency,
        created_at,
        case
            when (reporting_category = 'charge') <> (type in ('charge', 'payment')) then 'type'
            when (reporting_category = 'refund') <> (type in ('refund', 'payment_refund')) then 'type'
            when (reporting_category in ('payout', 'payout_reversal')) <> (type in ('payout', 'payout_cancel', 'payout_failure')) then 'type'
            when available_at < created_at and {{ date_of('available_at') }} <> {{ date_of('created_at') }} then 'available_on'
            when {{ date_difference('day', date_of('created_at'), date_of('available_at')) }} > 30 then 'available_on'
        end as out_of_step,
        {{ stated_figures([
            ('fee', 'case when fee_count > 0 and fee_currency <> currency then 0 when fee_count > 0 then listed_fee_amount end', 'fee_amount'),
            ('net', 'gross_amount - fee_amount', 'net_amount'),
        ]) }}
    from transactions
    union all
    select
        lists.payout_transaction_id as ref,
        'entry of a payout' as document,
        lists.payout_id,
        lists.balance_transaction_id,
        transactions.currency as parts_currency,
        lists.currency,
        lists.created_at,
        cast(null as string) as out_of_step,
        {{ stated_figures([
            ('amount', 'transactions.gross_amount', 'lists.gross_amount'),
            ('fee', 'transactions.fee_amount', 'lists.fee_amount'),
            ('net', 'transactions.net_amount', 'lists.net_amount'),
        ]) }}
    from {{ ref('stg_stripe__payout_transactions') }} as lists
    inner join transactions on lists.balance_transaction_id = transactions.balance_transaction_id
    where not lists.is_deleted
    union all
    select
        payouts.payout_id as ref,
        'payout' as document,
        payouts.payout_id,
        cast(null as string) as balance_transaction_id,
        case when debits.source_id = payouts.payout_id then debits.currency else payouts.currency end as parts_currency,
        payouts.currency,
        cast(payouts.created_at as {{ timestamp_type() }}) as created_at,
        case
            when debits.source_id <> payouts.payout_id then 'balance_transaction'
            when abs({{ date_difference('day', date_of('payouts.created_at'), date_of('debits.created_at')) }}) > 3 then 'created'
            when {{ date_difference('day', date_of('payouts.created_at'), 'payouts.arrival_date') }} not between -3 and 14 then 'arrival_date'
        end as out_of_step,
        {{ stated_figures([
            (
                'entry_in_its_own_list',
                "case when payouts.attribution = 'listed' and payouts.transaction_count > 0 then coalesce(-own.gross_amount, 0) end",
                'payouts.amount',
            ),
            ('amount', 'case when debits.source_id = payouts.payout_id then -debits.gross_amount end', 'payouts.amount'),
        ]) }}
    from {{ ref('fct_payouts') }} as payouts
    inner join transactions as debits on payouts.balance_transaction_id = debits.balance_transaction_id
    left join own_entries as own on payouts.payout_id = own.payout_id

),

{% for side, amount, currency in [('left_side', 'parts_amount', 'parts_currency as currency'), ('right_side', 'stated_amount', 'currency')] -%}
{{ side }} as (

    select
        ref,
        cast(null as string) as customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        {{ currency }},
        {{ amount }} as amount,
        document,
        payout_id,
        balance_transaction_id,
        figure,
        out_of_step,
    from figures

),

{% endfor -%}
{{ reconcile(
    comparison='settled__parts_vs_totals',
    passes=[
        {'rule': 'object', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.is_different or l.out_of_step is not null'},
    ],
    evidence={
        'document': 'l.document',
        'payout_id': 'l.payout_id',
        'balance_transaction_id': 'l.balance_transaction_id',
        'figure': 'case when m.is_different then l.figure else l.out_of_step end',
    },
) }}
