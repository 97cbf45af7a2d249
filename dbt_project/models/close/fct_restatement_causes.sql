with lock as (

    select * from {{ ref('int_close__lock') }}

),

lines as (

    select
        journal_line_id,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        period,
        closed_as_of,
        amount as closed_amount,
        {{ decimal_literal('0') }} as current_amount,
    from {{ ref('int_close__frozen_rows') }}
    where row_kind = 'journal_line' and entry_kind <> 'prior_period'
    union all
    select
        entries.journal_line_id,
        entries.account_id,
        entries.customer_id,
        entries.product_id,
        entries.document_id,
        entries.currency,
        entries.period,
        cast(null as {{ timestamp_type() }}) as closed_as_of,
        {{ decimal_literal('0') }} as closed_amount,
        entries.amount as current_amount,
    from {{ ref('int_journal__entries') }} as entries
    cross join lock
    where entries.period <= lock.closed_through

),

changed as (

    select
        lines.journal_line_id,
        lines.account_id,
        lines.customer_id,
        lines.product_id,
        lines.document_id,
        lines.currency,
        lines.period,
        {{ sum_decimal('lines.closed_amount') }} as closed_amount,
        {{ sum_decimal('lines.current_amount') }} as current_amount,
        count(lines.closed_as_of) > 0 as was_booked,
    from lines
    group by
        lines.journal_line_id, lines.account_id, lines.customer_id, lines.product_id, lines.document_id, lines.currency, lines.period
    having sum(lines.closed_amount) <> sum(lines.current_amount)

),

documents as (

    select
        object_id,
        stream,
        batch_id,
        read_at,
    from {{ ref('rec_evidence') }}
    qualify row_number() over (partition by object_id order by read_at desc, stream) = 1

)

select
    changed.journal_line_id,
    changed.account_id,
    changed.customer_id,
    changed.product_id,
    changed.document_id,
    documents.stream as document_stream,
    documents.batch_id,
    changed.currency,
    changed.period,
    changed.closed_amount,
    changed.current_amount,
    {{ to_decimal('changed.current_amount - changed.closed_amount') }} as difference,
    changed.was_booked,
    cast(documents.read_at as timestamp) as known_at,
from changed
left join documents on changed.document_id = documents.object_id
