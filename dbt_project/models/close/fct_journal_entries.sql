with booked as (

    {% for family in ['earned', 'invoiced', 'credit_notes', 'credits', 'cash'] -%}
    select
        journal_line_id,
        journal_entry_id,
        entry_kind,
        account_id,
        customer_id,
        product_id,
        document_id,
        currency,
        case when amount > 0 then amount else {{ decimal_literal('0') }} end as debit_amount,
        case when amount < 0 then {{ to_decimal('-amount') }} else {{ decimal_literal('0') }} end as credit_amount,
        entry_date,
    from {{ ref('int_journal__' ~ family) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
    booked.debit_amount,
    booked.credit_amount,
    {{ exchange_rate('booked.currency') }} as exchange_rate,
    {{ exchange_rate_source('booked.currency') }} as exchange_rate_source,
    {{ reporting_amount('booked.debit_amount', 'booked.currency') }} as reporting_debit_amount,
    {{ reporting_amount('booked.credit_amount', 'booked.currency') }} as reporting_credit_amount,
    booked.entry_date,
from booked
{{ join_exchange_rates('booked.currency', 'booked.entry_date') }}
