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

)

select
    {{ surrogate_key(['journal_entry_id', 'account_id', 'customer_id', 'product_id', 'currency']) }} as journal_line_id,
    journal_entry_id,
    entry_kind,
    account_id,
    customer_id,
    product_id,
    document_id,
    currency,
    {{ year_month('entry_date') }} as period,
    case when amount > 0 then amount else {{ decimal_literal('0') }} end as debit_amount,
    case when amount < 0 then {{ to_decimal('-amount') }} else {{ decimal_literal('0') }} end as credit_amount,
    entry_date,
from lines
