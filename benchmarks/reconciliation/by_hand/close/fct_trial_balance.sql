-- Orb's periods are months: which of its days a line's usage was on makes no difference here.
with lines as materialized (
    from customers_lines()
),

billed as materialized (
    from parts('lines')
),

days as materialized (
    from fee_days('billed')
    union all by name
    select * replace (amount + discount_amount as amount), last_day as revenue_date
    from billed
    where revenue_kind = 'usage'
    union all by name
    select * replace ('discount' as revenue_kind, -discount_amount as amount), last_day as revenue_date
    from billed
    where revenue_kind = 'usage'
),

by_month as materialized (
    select
        account_id,
        currency,
        date_trunc('month', entry_date)::date as month_start,
        sum(greatest(amount, 0))::decimal(38, 9) as debit_amount,
        sum(greatest(-amount, 0))::decimal(38, 9) as credit_amount,
    from journal('lines', 'days')
    group by all
),

months as (
    select
        account_id,
        currency,
        unnest(generate_series(
            min(month_start), greatest((select max(month_start) from by_month), known_on()), interval 1 month
        ))::date as month_start,
    from by_month
    group by account_id, currency
),

rolled as (
    select
        account_id,
        currency,
        month_start,
        coalesce(debit_amount, 0) as debit_amount,
        coalesce(credit_amount, 0) as credit_amount,
        coalesce(sum(debit_amount - credit_amount) over account_to_date, 0)::decimal(38, 9) as closing_amount,
    from months
    left join by_month using (account_id, currency, month_start)
    window account_to_date as (partition by account_id, currency order by month_start)
)

select
    key([account_id, currency, month_of(month_start)]) as trial_balance_id,
    account_id,
    account_name,
    account_type,
    currency,
    month_of(month_start) as period,
    closing_amount - debit_amount + credit_amount as opening_amount,
    debit_amount,
    credit_amount,
    closing_amount,
from rolled
left join (
    values
    ('cash', 'Cash at bank', 'asset'),
    ('payouts_in_transit', 'Payouts in transit', 'asset'),
    ('stripe_clearing', 'Stripe clearing', 'asset'),
    ('accounts_receivable', 'Accounts receivable', 'asset'),
    ('unbilled_receivable', 'Unbilled receivable', 'asset'),
    ('top_ups_to_grant', 'Top-ups received and not yet granted', 'liability'),
    ('unapplied_cash', 'Money received without a document', 'liability'),
    ('refunds_payable', 'Refunds payable', 'liability'),
    ('taxes_payable', 'Taxes payable', 'liability'),
    ('deferred_revenue', 'Deferred revenue', 'liability'),
    ('credit_liability', 'Prepaid credit', 'liability'),
    ('internal_tenants', 'Money of staff and test tenants', 'liability'),
    ('revenue', 'Revenue', 'income'),
    ('breakage_revenue', 'Breakage', 'income'),
    ('discounts', 'Discounts', 'contra_income'),
    ('credit_notes', 'Credit notes', 'contra_income'),
    ('promotional_credit', 'Promotional credit', 'contra_income'),
    ('processing_fees', 'Payment processing fees', 'expense'),
    ('disputes', 'Disputes', 'expense'),
    ('bad_debt', 'Bad debt', 'expense'),
    ('currency_conversion', 'Currency conversion gain and loss', 'other_income')
) as accounts (account_id, account_name, account_type) using (account_id)
