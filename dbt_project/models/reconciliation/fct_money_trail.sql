{#- a month is the month of the service, of an invoice the first that it bills: its payments are not split; what no invoice says, money paid for
    credit, is of the month in which it was paid -#}
with lines as (

    select
        lines.invoice_line_id,
        lines.invoice_id,
        lines.customer_id,
        min({{ year_month('lines.period_start') }}) over (partition by lines.invoice_id) as period,
        lines.currency,
        lines.adjusted_amount,
        lines.credits_applied_amount,
        lines.tax_amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where invoices.status in ('issued', 'synced', 'paid') and lines.line_kind <> 'prepaid_credit'

),

credit_invoices as (

    -- what sells credit rates nothing: its money is topped up
    select distinct invoice_id
    from {{ ref('fct_invoice_lines') }}
    where line_kind = 'prepaid_credit'

),

misrated as (

    -- what breaks above the invoice made of a line
    select
        consequences.object_id as invoice_line_id,
        {{ sum_decimal('consequences.amount') }} as amount,
    from {{ ref('fct_break_consequences') }} as consequences
    where consequences.object_kind = 'invoice line'
    group by consequences.object_id

),

rated as (

    select
        lines.customer_id,
        lines.period,
        lines.currency,
        {{ sum_decimal('lines.adjusted_amount - coalesce(misrated.amount, 0)') }} as metered_amount,
        {{ sum_decimal('lines.adjusted_amount') }} as rated_amount,
        {{ sum_decimal('lines.credits_applied_amount') }} as credits_applied_amount,
        {{ sum_decimal('lines.tax_amount') }} as tax_amount,
    from lines
    left join misrated on lines.invoice_line_id = misrated.invoice_line_id
    group by lines.customer_id, lines.period, lines.currency

),

periods as (

    select
        invoice_id,
        min(period) as period,
    from lines
    group by invoice_id

),

invoiced as (

    select
        invoices.customer_id,
        coalesce(periods.period, {{ year_month('invoices.invoice_date') }}) as period,
        stripe.currency,
        {{ sum_decimal('stripe.total_amount') }} as invoiced_amount,
    from {{ ref('fct_stripe_invoices') }} as stripe
    inner join {{ ref('fct_invoices') }} as invoices on stripe.invoice_id = invoices.invoice_id
    left join periods on invoices.invoice_id = periods.invoice_id
    left join credit_invoices on invoices.invoice_id = credit_invoices.invoice_id
    where stripe.status in ('open', 'paid', 'uncollectible') and credit_invoices.invoice_id is null
    group by invoices.customer_id, coalesce(periods.period, {{ year_month('invoices.invoice_date') }}), stripe.currency

),

payments as (

    select
        payments.payment_id,
        payments.customer_id,
        coalesce(periods.period, {{ year_month(date_of('payments.paid_at')) }}) as period,
        payments.currency,
        case when credit_invoices.invoice_id is null then payments.purpose else 'top_up' end as purpose,
        payments.amount,
        payments.amount_refunded,
        payments.amount_disputed,
    from {{ ref('fct_payments') }} as payments
    left join periods on payments.invoice_id = periods.invoice_id
    left join credit_invoices on payments.invoice_id = credit_invoices.invoice_id
    where payments.paid_at is not null and payments.customer_id is not null

),

banked_payouts as (

    select left_ref as payout_id
    from {{ ref('rec_banked__payouts_vs_bank') }}
    where right_ref is not null and left_ref is not null

),

settled as (

    select
        transactions.payment_id,
        transactions.currency,
        {{ sum_decimal('transactions.fee_amount') }} as fee_amount,
        {{ sum_decimal("case when payouts.payout_id is not null then transactions.net_amount else 0 end") }} as settled_amount,
        {{ sum_decimal("case when banked_payouts.payout_id is not null then transactions.net_amount else 0 end") }} as banked_amount,
    from {{ ref('int_cash__payment_transactions') }} as transactions
    left join {{ ref('fct_payouts') }} as payouts
        on transactions.payout_id = payouts.payout_id and payouts.status in ('paid', 'in_transit')
    left join banked_payouts on payouts.payout_id = banked_payouts.payout_id
    group by transactions.payment_id, transactions.currency

),

collected as (

    select
        customer_id,
        period,
        currency,
        {{ sum_decimal("case when purpose = 'invoice' then amount else 0 end") }} as collected_amount,
        {{ sum_decimal("case when purpose <> 'invoice' then amount else 0 end") }} as topped_up_amount,
        {{ sum_decimal('amount_refunded') }} as refunded_amount,
        {{ sum_decimal('amount_disputed') }} as disputed_amount,
    from payments
    group by customer_id, period, currency

),

arrived as (

    -- in the currency of the balance, which need not be the payment's
    select
        payments.customer_id,
        payments.period,
        settled.currency,
        {{ sum_decimal('settled.fee_amount') }} as fee_amount,
        {{ sum_decimal('settled.settled_amount') }} as settled_amount,
        {{ sum_decimal('settled.banked_amount') }} as banked_amount,
    from settled
    inner join payments on settled.payment_id = payments.payment_id
    group by payments.customer_id, payments.period, settled.currency

),

recognised as (

    -- of what was rated: what a draft has so far is not rated yet, and credit that expired never was
    select
        customer_id,
        {{ year_month('revenue_date') }} as period,
        currency,
        {{ sum_decimal('amount') }} as recognised_amount,
    from {{ ref('fct_revenue_daily') }}
    where is_billed and revenue_kind <> 'breakage'
    group by customer_id, {{ year_month('revenue_date') }}, currency

),

{% set steps = {
    'rated': ['metered_amount', 'rated_amount', 'credits_applied_amount', 'tax_amount'],
    'invoiced': ['invoiced_amount'],
    'collected': ['collected_amount', 'topped_up_amount', 'refunded_amount', 'disputed_amount'],
    'arrived': ['fee_amount', 'settled_amount', 'banked_amount'],
    'recognised': ['recognised_amount'],
} -%}
{% set amounts = steps.values() | sum(start=[]) -%}

steps as (

    {% for step, own in steps.items() -%}
    select
        customer_id,
        period,
        currency,
        {% for amount in amounts -%}
        {{ amount if amount in own else decimal_literal('0') }} as {{ amount }},
        {% endfor -%}
    from {{ step }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

trail as (

    select
        customer_id,
        period,
        currency,
        {% for amount in amounts -%}
        {{ sum_decimal(amount) }} as {{ amount }},
        {% endfor -%}
    from steps
    group by customer_id, period, currency

)

select
    {{ surrogate_key(['customer_id', 'period', 'currency']) }} as money_trail_id,
    customer_id,
    period,
    currency,
    {% for amount in amounts -%}
    {{ amount }},
    {% endfor -%}
    {{ to_decimal('metered_amount - rated_amount') }} as metered_not_rated_amount,
    {{ to_decimal('rated_amount - credits_applied_amount + tax_amount - invoiced_amount') }} as rated_not_invoiced_amount,
    {{ to_decimal('invoiced_amount - collected_amount') }} as invoiced_not_collected_amount,
    {{ to_decimal('collected_amount + topped_up_amount - refunded_amount - disputed_amount - fee_amount - settled_amount') }} as collected_not_settled_amount,
    {{ to_decimal('settled_amount - banked_amount') }} as settled_not_banked_amount,
    {{ to_decimal('rated_amount - recognised_amount') }} as rated_not_recognised_amount,
from trail
