{# The lines of entries, from a relation of their legs: entry_kind and entry_key say which entry, amount is a debit or, negative, a credit. Legs of
   an entry that meet on one account are one line, or none. Ids are made of the fact alone, so that it has the same ids in every build.
   What is summed after `having` is named with its relation: BigQuery takes the bare name for the sum above. #}
{% macro journal_lines(legs) -%}
{%- set parts = ['entry_kind', 'entry_key', 'account_id', 'customer_id', 'product_id', 'currency'] -%}
select
    {{ surrogate_key(parts) }} as journal_line_id,
    {{ surrogate_key(parts[:2]) }} as journal_entry_id,
    entry_kind,
    account_id,
    customer_id,
    product_id,
    document_id,
    currency,
    {{ sum_decimal('amount') }} as amount,
    entry_date,
from {{ legs }}
group by {{ parts | join(', ') }}, document_id, entry_date
having sum({{ legs }}.amount) <> 0
{%- endmacro %}
