-- What did Stripe move for us in the month: charged, fees, refunds, disputes, and what went to the bank?

select
    reporting_category,
    currency,
    count(*) as transaction_count,
    {{ sum_decimal('gross_amount') }} as gross_amount,
    {{ sum_decimal('fee_amount') }} as fee_amount,
    {{ sum_decimal('net_amount') }} as net_amount,
from {{ ref('fct_balance_transactions') }}
where {{ in_month(date_of('created_at')) }}
group by reporting_category, currency
order by currency, reporting_category
