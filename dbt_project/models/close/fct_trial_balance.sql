with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

by_month as (

    select
        account_id,
        currency,
        {{ truncate_date('month', 'entry_date') }} as month_start,
        {{ sum_decimal('debit_amount') }} as debit_amount,
        {{ sum_decimal('credit_amount') }} as credit_amount,
    from {{ ref('fct_journal_entries') }}
    group by account_id, currency, {{ truncate_date('month', 'entry_date') }}

),

ledgers as (

    select
        account_id,
        currency,
        min(month_start) as first_month,
        max(month_start) as last_month,
    from by_month
    group by account_id, currency

),

months as (

    select
        ledgers.account_id,
        ledgers.currency,
        month_start,
    from ledgers
    cross join known
    cross join {{ month_series('ledgers.first_month', 'greatest(ledgers.last_month, known.known_on)', 'month_start') }}

),

rolled as (

    select
        months.account_id,
        months.currency,
        months.month_start,
        coalesce(by_month.debit_amount, {{ decimal_literal('0') }}) as debit_amount,
        coalesce(by_month.credit_amount, {{ decimal_literal('0') }}) as credit_amount,
        {{ to_decimal('sum(coalesce(by_month.debit_amount - by_month.credit_amount, 0)) over (partition by months.account_id, months.currency order by months.month_start)') }}
            as closing_amount,
    from months
    left join by_month
        on
            months.account_id = by_month.account_id
            and months.currency = by_month.currency
            and months.month_start = by_month.month_start

)

select
    {{ surrogate_key(['rolled.account_id', 'rolled.currency', year_month('rolled.month_start')]) }} as trial_balance_id,
    rolled.account_id,
    accounts.account_name,
    accounts.account_type,
    rolled.currency,
    {{ year_month('rolled.month_start') }} as period,
    {{ to_decimal('rolled.closing_amount - rolled.debit_amount + rolled.credit_amount') }} as opening_amount,
    rolled.debit_amount,
    rolled.credit_amount,
    rolled.closing_amount,
from rolled
left join {{ ref('ledger_accounts') }} as accounts on rolled.account_id = accounts.account_id
