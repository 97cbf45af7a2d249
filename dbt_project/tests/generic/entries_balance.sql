{# Double entry: the debits of an entry are its credits, in each currency. Fails with the entries that do not balance. #}
{% test entries_balance(model) %}

select
    journal_entry_id,
    currency,
    sum(debit_amount) as debits,
    sum(credit_amount) as credits,
from {{ model }}
group by journal_entry_id, currency
having sum(debit_amount) <> sum(credit_amount)

{% endtest %}
