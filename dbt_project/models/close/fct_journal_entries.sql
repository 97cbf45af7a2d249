with booked as (

    {% for family in ['earned', 'invoiced', 'credit_notes', 'credits', 'cash'] -%}
    select
        entry_kind,
        entry_key,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        amount,
        entry_date,
    from {{ ref('int_journal__' ~ family) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

lines as (

    -- two legs of an entry that meet on one account are one line, or none
    select
        {{ surrogate_key(['entry_kind', 'entry_key']) }} as journal_entry_id,
        entry_kind,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        {{ sum_decimal('amount') }} as amount,
        entry_date,
    from booked
    group by entry_kind, entry_key, account_id, customer_id, product_id, document_id, currency, entry_date
    having sum(amount) <> 0

),

sides as (

    select
        *,
        case when amount > 0 then amount else {{ decimal_literal('0') }} end as debit_amount,
        case when amount < 0 then {{ to_decimal('-amount') }} else {{ decimal_literal('0') }} end as credit_amount,
    from lines

)

select
    {{ surrogate_key(['sides.journal_entry_id', 'sides.account_id', 'sides.customer_id', 'sides.product_id', 'sides.currency']) }} as journal_line_id,
    sides.journal_entry_id,
    sides.entry_kind,
    sides.account_id,
    sides.customer_id,
    sides.product_id,
    sides.document_id,
    sides.currency,
    {{ reporting_currency() }} as reporting_currency,
    {{ year_month('sides.entry_date') }} as period,
    sides.debit_amount,
    sides.credit_amount,
    {{ exchange_rate('sides.currency') }} as exchange_rate,
    {{ exchange_rate_source('sides.currency') }} as exchange_rate_source,
    {{ reporting_amount('sides.debit_amount', 'sides.currency') }} as reporting_debit_amount,
    {{ reporting_amount('sides.credit_amount', 'sides.currency') }} as reporting_credit_amount,
    sides.entry_date,
from sides
{{ join_exchange_rates('sides.currency', 'sides.entry_date') }}
