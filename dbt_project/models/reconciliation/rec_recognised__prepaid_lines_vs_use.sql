{%- set never = timestamp_literal('9999-12-31 00:00:00+00:00') %}
{#- left: what a recogniser that goes by service period has earned of the credit that an invoice sells; right: what of it was used or has expired -#}
with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

lines as (

    select
        lines.invoice_line_id,
        lines.invoice_id,
        lines.customer_id,
        lines.currency,
        lines.adjusted_amount,
        invoices.invoice_date,
        lines.period_start,
        lines.period_end,
        coalesce({{ date_difference('day', 'lines.period_start', 'lines.period_end') }}, 0) as days_of_service,
        {{ date_difference('day', 'lines.period_start', 'known.known_on') }} + 1 as days_so_far,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    cross join known
    where
        lines.line_kind = 'prepaid_credit'
        and invoices.status in ('issued', 'synced', 'paid')
        and not invoices.is_internal

),

credited as (

    select
        invoice_line_id,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_revenue__credit_note_lines') }}
    where is_prepaid_credit
    group by invoice_line_id

),

earned as (

    -- without a period, which is a day at most, all of it is earned when the invoice is final
    select
        lines.*,
        coalesce(credited.amount, {{ decimal_literal('0') }}) + case
            when lines.days_of_service <= 1 or lines.days_so_far >= lines.days_of_service then lines.adjusted_amount
            when lines.days_so_far <= 0 then {{ decimal_literal('0') }}
            else {{ round_to_minor_unit(divide(multiply('lines.adjusted_amount', 'lines.days_so_far'), 'lines.days_of_service'), 'lines.currency') }}
        end as amount,
    from lines
    left join credited on lines.invoice_line_id = credited.invoice_line_id

),

left_side as (

    -- the first line stands for all that sell credit on one invoice: the grant names no line
    select
        min(invoice_line_id) as ref,
        customer_id,
        {{ year_month('invoice_date') }} as period,
        currency,
        {{ sum_decimal('amount') }} as amount,
        invoice_id,
        {{ sum_decimal('adjusted_amount') }} as sold_amount,
        min(days_of_service) as days_of_service,
        min(period_start) as serves_from,
        max(period_end) as serves_until,
    from earned
    group by invoice_id, customer_id, invoice_date, currency

),

right_side as (

    -- credit beyond what the invoice asks for is no use of its lines; that it was granted, credits__topups_vs_grants says
    select
        min(movements.credit_block_id) as ref,
        sold.customer_id,
        sold.period,
        sold.currency,
        least(
            {{ sum_decimal(
                "case when movements.entry_type in ('decrement', 'amendment', 'credit_block_expiry') then "
                ~ multiply('-movements.movement', 'movements.cost_basis') ~ ' else 0 end'
            ) }},
            sold.sold_amount
        ) as amount,
        sold.invoice_id,
        {{ date_of('max(case when movements.block_expires_at < ' ~ never ~ ' then movements.block_expires_at end)') }} as credit_until,
    from left_side as sold
    inner join {{ ref('int_credits__ledger_movements') }} as movements on sold.invoice_id = movements.created_invoice_id
    group by sold.invoice_id, sold.customer_id, sold.period, sold.currency, sold.sold_amount

),

{{ reconcile(
    comparison='recognised__prepaid_lines_vs_use',
    passes=[
        {'rule': 'created_invoice', 'on': 'r.invoice_id = l.invoice_id'},
    ],
    causes=[
        {'cause': 'topup_not_granted', 'status': 'matched', 'when': 'm.is_different and m.right_ref is null'},
        {
            'cause': 'prepaid_recognised_early',
            'when': 'm.is_different and m.difference > 0 and (l.days_of_service <= 1 or l.serves_until < r.credit_until)',
        },
        {'cause': 'prepaid_over_period', 'status': 'matched', 'when': 'm.is_different and l.days_of_service > 1'},
    ],
    evidence={
        'orb_invoice_id': 'l.invoice_id',
        'credit_block_id': 'r.ref',
        'sold': decimal_text('l.sold_amount'),
        'serves_from': iso_date('l.serves_from'),
        'serves_until': iso_date('l.serves_until'),
        'credit_until': iso_date('r.credit_until'),
    },
) }}
