-- How much tax did we bill in the month, by the customer's country?

select
    coalesce(customers.country, 'unknown') as country,
    invoices.currency,
    count(*) as invoice_count,
    {{ sum_decimal('invoices.total_amount - invoices.tax_amount') }} as net_amount,
    {{ sum_decimal('invoices.tax_amount') }} as tax_amount,
from {{ ref('fct_invoices') }} as invoices
left join {{ ref('dim_customers') }} as customers on invoices.customer_id = customers.customer_id
where
    {{ in_month('invoices.invoice_date') }}
    and invoices.status in ('issued', 'synced', 'paid')
    and not invoices.is_internal
group by customers.country, invoices.currency
order by country, invoices.currency
