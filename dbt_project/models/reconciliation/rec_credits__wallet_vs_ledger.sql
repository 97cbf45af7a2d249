{#- usage and expiry are compared by the day, for the two systems split a day differently; a grant or a void is one thing on both sides -#}
with wallet as (

    select
        wallet_transaction_id as object_id,
        customer_id,
        currency,
        amount,
        case
            when kind in ('usage', 'expiry') then concat(customer_id, '/', kind, '/', {{ iso_date(date_of('occurred_at')) }})
            when kind = 'refund' then coalesce(payment_intent_id, wallet_transaction_id)
            else wallet_transaction_id
        end as movement_key,
        kind in ('usage', 'expiry') as is_of_a_day,
        case when kind in ('usage', 'expiry', 'refund') then kind else 'grant' end as sort,
        payment_intent_id,
        kind = 'promotional_grant' as is_given,
        cast(occurred_at as timestamp) as occurred_at,
    from {{ ref('stg_app__wallet_transactions') }}

),

ledger as (

    select
        ledger_entry_id as object_id,
        customer_id,
        currency,
        movement as amount,
        case entry_type
            when 'decrement' then concat(customer_id, '/usage/', {{ iso_date(date_of('created_at')) }})
            when 'amendment' then concat(customer_id, '/usage/', {{ iso_date(date_of('created_at')) }})
            when 'credit_block_expiry' then concat(customer_id, '/expiry/', {{ iso_date(date_of('created_at')) }})
            when 'void' then coalesce(payment_intent_id, ledger_entry_id)
            else coalesce(wallet_transaction_id, ledger_entry_id)
        end as movement_key,
        entry_type in ('decrement', 'amendment', 'credit_block_expiry') as is_of_a_day,
        case entry_type
            when 'decrement' then 'usage'
            when 'amendment' then 'usage'
            when 'credit_block_expiry' then 'expiry'
            when 'void' then 'refund'
            else 'grant'
        end as sort,
        payment_intent_id,
        payment_intent_id is null as is_given,
        created_at as occurred_at,
    from {{ ref('int_credits__ledger_movements') }}
    where movement <> 0

),

known_until as (

    -- today's usage is still growing on both sides, and the two are not read in the same second
    select least((select max(occurred_at) from wallet), (select max(occurred_at) from ledger)) as both_until

),

{% for side, rows in [('left_side', 'wallet'), ('right_side', 'ledger')] -%}
{{ side }} as (

    select
        case when {{ rows }}.is_of_a_day then concat({{ rows }}.movement_key, '/', {{ rows }}.currency) else {{ rows }}.object_id end as ref,
        {{ rows }}.customer_id,
        {{ year_month(date_of(rows ~ '.occurred_at')) }} as period,
        {{ rows }}.currency,
        {{ to_decimal('sum(' ~ rows ~ '.amount) over (partition by ' ~ rows ~ '.movement_key, ' ~ rows ~ '.currency)') }} as amount,
        {{ rows }}.movement_key,
        {{ rows }}.sort,
        {{ rows }}.payment_intent_id,
        {{ rows }}.is_given,
        count(*) over (partition by {{ rows }}.movement_key, {{ rows }}.currency) as row_count,
        {{ rows }}.occurred_at,
        known_until.both_until,
    from {{ rows }}
    cross join known_until
    qualify row_number() over (
        partition by {{ rows }}.movement_key, {{ rows }}.currency order by {{ rows }}.occurred_at, {{ rows }}.object_id
    ) = 1

),

{% endfor -%}

{%- set days_apart = date_difference('day', date_of('l.occurred_at'), date_of('r.occurred_at')) %}
{%- set clears_by = add_to_timestamp('day', 'settings.window_days', 'coalesce(l.occurred_at, r.occurred_at)') %}

{{ reconcile(
    comparison='credits__wallet_vs_ledger',
    passes=[
        {'rule': 'movement', 'on': 'r.movement_key = l.movement_key and r.currency = l.currency'},
        {
            'rule': 'customer_amount_window',
            'on': 'r.customer_id = l.customer_id and r.currency = l.currency and r.amount = l.amount',
            'within': 'abs(' ~ days_apart ~ ') <= settings.window_days',
            'nearest': 'abs(' ~ days_apart ~ ')',
        },
        {'rule': 'movement_in_another_currency', 'on': 'r.movement_key = l.movement_key'},
    ],
    causes=[
        {'cause': 'wallet_differs', 'status': 'timing', 'when': 'm.is_different and ' ~ clears_by ~ ' > coalesce(l.both_until, r.both_until)'},
        {
            'cause': 'wallet_differs',
            'when': 'm.is_different or l.sort <> r.sort or l.customer_id <> r.customer_id or l.payment_intent_id <> r.payment_intent_id'
            ~ " or l.sort = 'grant' and l.is_given and not r.is_given or abs(" ~ days_apart ~ ') > settings.window_days',
        },
    ],
    evidence={
        'movement': 'coalesce(l.movement_key, r.movement_key)',
        'wallet_kind': 'l.sort',
        'ledger_kind': 'r.sort',
        'wallet_payment_intent_id': 'l.payment_intent_id',
        'ledger_payment_intent_id': 'r.payment_intent_id',
        'wallet_transactions': 'cast(l.row_count as string)',
        'ledger_entries': 'cast(r.row_count as string)',
        'occurred_at': instant_text('coalesce(l.occurred_at, r.occurred_at)'),
        'in_ledger_at': instant_text('r.occurred_at'),
        'clears_by': instant_text(clears_by),
    },
    upstream={
        'credits__movements_vs_balances': -1,
        'credits__topups_vs_grants': 1,
        'credits__refunds_vs_voids': -1,
        'credits__ledger_vs_blocks': -1,
        'recognised__due_expiries_vs_ledger': -1,
    },
) }}
