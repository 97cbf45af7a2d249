-- Which invoices were overdue at the end of the month, whose are they, and how much of them was still open?

select
    balances.customer_id,
    customers.customer_name,
    invoices.invoice_number,
    balances.due_date,
    {{ date_difference('day', 'balances.due_date', month_end()) }} as days_overdue,
    balances.currency,
    invoices.amount_due as due_amount,
    balances.open_amount,
from {{ ref('fct_receivable_balances') }} as balances
inner join {{ ref('fct_invoices') }} as invoices on balances.invoice_id = invoices.invoice_id
left join {{ ref('dim_customers') }} as customers on balances.customer_id = customers.customer_id
where
    balances.valid_from <= {{ month_end() }}
    and coalesce(balances.valid_to > {{ month_end() }}, true)
    and balances.due_date < {{ month_end() }}
    and balances.open_amount > 0
order by days_overdue desc, balances.open_amount desc, invoices.invoice_number
