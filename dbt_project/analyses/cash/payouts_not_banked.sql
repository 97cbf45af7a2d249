-- Which payouts of this month or before are not at the bank as Stripe says, and which deposits are no payout?

select
    period,
    cause,
    status,
    left_ref as payout,
    right_ref as bank_line,
    currency,
    left_amount as payout_amount,
    right_amount as banked_amount,
    difference as missing_amount,
from {{ ref('fct_breaks') }}
where comparison = 'banked__payouts_vs_bank' and is_open and period <= '{{ var("month") }}'
order by period, currency, difference desc, payout
