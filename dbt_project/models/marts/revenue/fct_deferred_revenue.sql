with known as (

    select {{ date_of('known_at') }} as known_on
    from {{ ref('int_core__known_at') }}

),

released as (

    select
        customer_id,
        product_id,
        currency,
        amount as recognised_amount,
        {{ decimal_literal('0') }} as voided_amount,
        {{ year_month('invoice_date') }} as booked_period,
        {{ year_month('revenue_date') }} as recognised_period,
        revenue_date as released_on,
    from {{ ref('int_revenue__line_days') }}
    where revenue_date >= invoice_date
    union all
    -- nothing of a voided invoice is earned: until it was voided, all that it asked for was owed in services
    select
        lines.customer_id,
        lines.product_id,
        lines.currency,
        {{ decimal_literal('0') }} as recognised_amount,
        {{ to_decimal('lines.adjusted_amount - lines.credits_applied_amount') }} as voided_amount,
        {{ year_month('invoices.invoice_date') }} as booked_period,
        {{ year_month('coalesce(' ~ date_of('invoices.voided_at') ~ ', invoices.invoice_date)') }} as recognised_period,
        coalesce({{ date_of('invoices.voided_at') }}, invoices.invoice_date) as released_on,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where
        invoices.status = 'void'
        and invoices.issued_at is not null
        and not invoices.is_internal
        and lines.line_kind <> 'prepaid_credit'

)

select
    {{ surrogate_key([
        'booked.customer_id', 'booked.product_id', 'booked.currency', 'booked.booked_period', 'booked.recognised_period',
    ]) }} as deferred_revenue_id,
    booked.customer_id,
    booked.product_id,
    booked.booked_period,
    booked.recognised_period,
    booked.currency,
    {{ sum_decimal('booked.recognised_amount') }} as recognised_amount,
    {{ sum_decimal('booked.voided_amount') }} as voided_amount,
    -- of the month that is running only some days have come
    {{ sum_decimal('case when booked.released_on > known.known_on then booked.recognised_amount + booked.voided_amount else 0 end') }} as owed_amount,
    {{ certified_through() }} as certified_through,
from released as booked
cross join known
group by booked.customer_id, booked.product_id, booked.currency, booked.booked_period, booked.recognised_period
having sum(booked.recognised_amount) <> 0 or sum(booked.voided_amount) <> 0
