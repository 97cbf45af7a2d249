with lock as (

    select * from {{ ref('int_close__lock') }}

),

frozen as (

    select
        journal_line_id,
        journal_entry_id,
        entry_kind,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        close_period as closed_period,
        amount,
        entry_date,
    from {{ ref('int_close__frozen_rows') }}
    where row_kind = 'journal_line'

),

still_open as (

    select
        entries.journal_line_id,
        entries.journal_entry_id,
        entries.entry_kind,
        entries.account_id,
        entries.customer_id,
        entries.product_id,
        entries.document_id,
        entries.currency,
        cast(null as string) as closed_period,
        entries.amount,
        entries.entry_date,
    from {{ ref('int_journal__entries') }} as entries
    cross join lock
    where lock.first_open_date is null or entries.entry_date >= lock.first_open_date

),

moved_since as (

    -- what the closed months are today less what was booked of them: all of it, so that what one close has caught up the next does not again
    select
        entries.account_id,
        entries.customer_id,
        entries.product_id,
        entries.currency,
        entries.amount,
    from {{ ref('int_journal__entries') }} as entries
    cross join lock
    where entries.entry_date < lock.first_open_date
    union all
    select
        account_id,
        customer_id,
        product_id,
        currency,
        -amount as amount,
    from frozen

),

prior_period_legs as (

    select
        'prior_period' as entry_kind,
        concat('prior_period/', lock.closed_through) as entry_key,
        moved_since.account_id,
        moved_since.customer_id,
        moved_since.product_id,
        lock.closed_through as document_id,
        moved_since.currency,
        moved_since.amount,
        lock.first_open_date as entry_date,
    from moved_since
    cross join lock

),

caught_up as (

    {{ journal_lines('prior_period_legs') }}

),

booked as (

    select * from frozen
    union all
    select * from still_open
    union all
    select
        journal_line_id,
        journal_entry_id,
        entry_kind,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        cast(null as string) as closed_period,
        amount,
        entry_date,
    from caught_up

)

select
    booked.journal_line_id,
    booked.journal_entry_id,
    booked.entry_kind,
    booked.account_id,
    booked.customer_id,
    booked.product_id,
    booked.document_id,
    booked.currency,
    {{ reporting_currency() }} as reporting_currency,
    {{ year_month('booked.entry_date') }} as period,
    booked.closed_period,
    case when booked.amount > 0 then booked.amount else {{ decimal_literal('0') }} end as debit_amount,
    case when booked.amount < 0 then {{ to_decimal('-booked.amount') }} else {{ decimal_literal('0') }} end as credit_amount,
    {{ exchange_rate('booked.currency') }} as exchange_rate,
    {{ exchange_rate_source('booked.currency') }} as exchange_rate_source,
    {{ reporting_amount('case when booked.amount > 0 then booked.amount else 0 end', 'booked.currency') }} as reporting_debit_amount,
    {{ reporting_amount('case when booked.amount < 0 then -booked.amount else 0 end', 'booked.currency') }} as reporting_credit_amount,
    booked.entry_date,
from booked
{{ join_exchange_rates('booked.currency', 'booked.entry_date') }}
