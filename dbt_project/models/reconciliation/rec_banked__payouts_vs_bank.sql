with statements_until as (

    select
        currency,
        max(booked_on) as booked_until,
    from {{ ref('fct_bank_lines') }}
    group by currency

),

left_side as (

    select
        payouts.payout_id as ref,
        cast(null as string) as customer_id,
        {{ year_month('payouts.arrival_date') }} as period,
        payouts.currency,
        payouts.amount,
        payouts.trace_id,
        payouts.status,
        payouts.arrival_date,
        statements_until.booked_until,
    from {{ ref('fct_payouts') }} as payouts
    left join statements_until on payouts.currency = statements_until.currency
    where payouts.status in ('paid', 'in_transit')

),

right_side as (

    select
        bank_line_id as ref,
        cast(null as string) as customer_id,
        {{ year_month('booked_on') }} as period,
        currency,
        amount,
        nullif(reference, '') as reference,
        description,
        booked_on,
    from {{ ref('fct_bank_lines') }}
    where amount > 0

),

{%- set days_to_booking = date_difference('day', 'l.arrival_date', 'r.booked_on') %}
{%- set in_window = 'abs(' ~ days_to_booking ~ ') <= settings.window_days' %}
{%- set last_payout_in_window = 'abs(' ~ date_difference('day', 'l.run_end', 'r.booked_on') ~ ') <= settings.window_days' %}
{%- set last_deposit_in_window = 'abs(' ~ date_difference('day', 'l.arrival_date', 'r.run_end') ~ ') <= settings.window_days' %}

{{ reconcile(
    comparison='banked__payouts_vs_bank',
    passes=[
        {
            'rule': 'reference_and_amount',
            'on': 'r.reference = l.trace_id and r.currency = l.currency and r.amount = l.amount',
            'nearest': 'abs(' ~ days_to_booking ~ ')',
        },
        {
            'rule': 'amount_window',
            'on': 'r.currency = l.currency and r.amount = l.amount',
            'within': in_window,
            'nearest': 'abs(' ~ days_to_booking ~ ')',
        },
        {
            'rule': 'combined_deposit',
            'kind': 'many_to_one',
            'within_same': 'currency',
            'order': 'arrival_date',
            'on': 'r.currency = l.currency',
            'within': in_window ~ ' and ' ~ last_payout_in_window,
        },
        {
            'rule': 'split_deposit',
            'kind': 'one_to_many',
            'within_same': 'currency',
            'order': 'booked_on',
            'on': 'r.currency = l.currency',
            'within': in_window ~ ' and ' ~ last_deposit_in_window ~ ' and (r.reference is null or r.reference = l.trace_id)',
        },
        {
            'rule': 'reference',
            'on': 'r.reference = l.trace_id and r.currency = l.currency',
            'nearest': 'abs(' ~ days_to_booking ~ ')',
        },
    ],
    causes=[
        {'cause': 'deposit_combined', 'status': 'matched', 'when': "m.match_rule = 'combined_deposit'"},
        {'cause': 'deposit_split', 'status': 'matched', 'when': "m.match_rule = 'split_deposit'"},
        {
            'cause': 'deposit_late',
            'status': 'timing',
            'when': 'm.right_ref is null and (l.booked_until is null or ' ~ add_to_date('day', 'settings.window_days', 'l.arrival_date') ~ ' > l.booked_until)',
        },
        {'cause': 'payout_not_in_bank', 'when': 'm.right_ref is null'},
        {'cause': 'deposit_unknown', 'when': 'm.left_ref is null'},
        {'cause': 'deposit_amount_differs', 'when': 'm.is_different'},
        {
            'cause': 'unexplained',
            'when': 'not ' ~ in_window ~ " or l.status = 'in_transit' and " ~ add_to_date('day', 'settings.window_days', 'l.arrival_date') ~ ' < l.booked_until',
        },
    ],
    evidence={
        'payout_status': 'l.status',
        'trace_id': 'l.trace_id',
        'bank_reference': 'r.reference',
        'bank_description': 'r.description',
        'arrival_date': 'cast(l.arrival_date as string)',
        'booked_on': 'cast(r.booked_on as string)',
        'statement_until': 'cast(l.booked_until as string)',
        'clears_by': 'cast(' ~ add_to_date('day', 'settings.window_days', 'l.arrival_date') ~ ' as string)',
    },
) }}
