with lines as materialized (
    from customers_lines()
),

used as materialized (
    from usage_by_product()
),

days as materialized (
    from line_days('lines', 'used')
)

select
    key([entry_kind, entry_key, account_id, customer_id, product_id, booked.currency]) as journal_line_id,
    key([entry_kind, entry_key]) as journal_entry_id,
    entry_kind,
    account_id,
    customer_id,
    product_id,
    document_id,
    booked.currency,
    'USD' as reporting_currency,
    month_of(entry_date) as period,
    null::varchar as closed_period,
    greatest(amount, 0) as debit_amount,
    greatest(-amount, 0) as credit_amount,
    rate(booked.currency, rates.exchange_rate) as exchange_rate,
    rate_source(booked.currency, rates.exchange_rate_source) as exchange_rate_source,
    in_dollars(greatest(amount, 0), booked.currency, rates.exchange_rate) as reporting_debit_amount,
    in_dollars(greatest(-amount, 0), booked.currency, rates.exchange_rate) as reporting_credit_amount,
    entry_date,
from journal('lines', 'days') as booked
left join rates() as rates on booked.currency = rates.currency and booked.entry_date = rates.rate_date
