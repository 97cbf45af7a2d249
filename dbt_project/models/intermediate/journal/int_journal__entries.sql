{{ config(materialized='table') }}

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
    {{ year_month('entry_date') }} as period,
    amount,
    entry_date,
from {{ ref('int_journal__' ~ family) }}
{{ 'union all' if not loop.last }}
{% endfor %}
