{{ config(materialized='table') }}

with orb_lines as (

    select * from {{ ref('int_rating__orb_lines') }}

),

prices as (

    select * from {{ ref('int_rating__contract_prices') }}

),

usage_days as (

    select
        customer_id,
        metric,
        {{ truncate_date('month', 'usage_date') }} as usage_month,
        usage_date,
        quantity,
    from {{ ref('int_usage__orb_daily') }}
    where quantity <> 0

),

priced as (

    -- the price in force when the service begins, a contract's before the price book's; of several lines for the same
    -- service the one under the agreed price bills it, for the others nothing is left
    select
        lines.*,
        coalesce(prices.cycle_months, 1) as cycle_months,
        prices.price_ref,
        prices.price_key as agreed_price_key,
        prices.price_model as agreed_price_model,
        coalesce(prices.currency, lines.currency) as agreed_currency,
    from orb_lines as lines
    left join prices
        on
            lines.customer_id = prices.customer_id
            and lines.product_id = prices.product_id
            and lines.line_kind <> 'minimum'
            and lines.period_start >= prices.valid_from
            and coalesce(lines.period_start < prices.valid_to, true)
    qualify
        row_number() over (
            partition by lines.customer_id, lines.product_id, lines.line_kind, lines.period_start
            order by
                case when prices.is_agreed then 0 else 1 end,
                case when prices.orb_price_id = lines.price_id then 0 else 1 end,
                prices.valid_from desc,
                prices.price_ref asc,
                lines.invoice_date asc,
                lines.invoice_line_id asc
        ) = 1

),

billed as (

    -- nor for a fee whose service another line has billed already: a year's fee is not owed again by the month
    select *
    from priced
    qualify
        line_kind <> 'fixed_fee'
        or coalesce(
            max(period_end) over (
                partition by customer_id, product_id, line_kind order by period_start rows between unbounded preceding and 1 preceding
            ) <= period_start,
            true
        )

),

billed_until as (

    select max(billing_end) as day_after
    from orb_lines
    where not is_in_advance

),

invoiced_months as (

    -- drafts and voided invoices too: that they are not issued is nothing that rating could find out. A fee billed ahead
    -- says nothing of the usage of its month
    select distinct
        lines.customer_id,
        invoiced_month,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id and invoices.invoice_source = 'subscription'
    cross join {{ month_series('lines.period_start', add_to_date('day', -1, 'lines.period_end'), 'invoiced_month') }}
    where coalesce(lines.period_start < invoices.invoice_date, true)

),

months_without_invoice as (

    select distinct
        used.customer_id,
        used.usage_month,
    from usage_days as used
    cross join billed_until
    left join invoiced_months on used.customer_id = invoiced_months.customer_id and used.usage_month = invoiced_months.invoiced_month
    where invoiced_months.customer_id is null and {{ add_to_date('month', 1, 'used.usage_month') }} <= billed_until.day_after

),

periods as (

    select
        customer_id,
        invoice_id,
        currency as invoice_currency,
        billing_cycle_day,
        billing_start,
        billing_end,
    from orb_lines
    where not is_in_advance
    qualify row_number() over (partition by customer_id, billing_start order by invoice_date, invoice_id, invoice_line_id) = 1
    union all
    select
        customer_id,
        cast(null as string) as invoice_id,
        cast(null as string) as invoice_currency,
        1 as billing_cycle_day,
        usage_month as billing_start,
        {{ add_to_date('month', 1, 'usage_month') }} as billing_end,
    from months_without_invoice

),

owed as (

    -- everything that has a price in a period and is owed when it is over, whether a line bills it or not
    select
        periods.*,
        prices.product_id,
        products.metric,
        case
            when products.metric is not null then 'usage'
            when prices.price_model = 'percent' then 'percent_fee'
            else 'fixed_fee'
        end as line_kind,
        prices.price_ref,
        prices.price_key,
        prices.price_model,
        prices.cycle_months,
        prices.currency,
    from periods
    inner join prices
        on
            periods.customer_id = prices.customer_id
            and not prices.is_in_advance
            and periods.billing_start >= prices.valid_from
            and coalesce(periods.billing_start < prices.valid_to, true)
    left join {{ ref('dim_products') }} as products on prices.product_id = products.product_id
    qualify
        row_number() over (
            partition by periods.customer_id, periods.billing_start, prices.product_id
            order by case when prices.is_agreed then 0 else 1 end, prices.valid_from desc, prices.price_ref asc
        ) = 1

),

invoiced_accounts as (

    select
        customer_id,
        max(invoice_date) as invoiced_on,
        max(billing_cycle_day) as billing_cycle_day,
    from orb_lines
    group by customer_id

),

cycle_starts as (

    -- the month before too: the cycle in which a contract begins may have begun earlier
    select
        prices.*,
        accounts.billing_cycle_day,
        least(
            {{ add_to_date('day', 'accounts.billing_cycle_day - 1', 'cycle_month') }},
            {{ add_to_date('day', -1, add_to_date('month', 1, 'cycle_month')) }}
        ) as cycle_start,
        accounts.invoiced_on,
    from prices
    inner join invoiced_accounts as accounts on prices.customer_id = accounts.customer_id
    cross join {{ month_series(add_to_date('month', -1, 'prices.valid_from'), 'accounts.invoiced_on', 'cycle_month') }}
    where prices.is_in_advance

),

anchored as (

    select
        *,
        max(case when cycle_start <= valid_from then cycle_start end) over (partition by customer_id, product_id, price_ref, valid_from) as first_cycle_start,
    from cycle_starts

),

cycles as (

    -- what is owed in advance is owed from the first day of its cycle, once the account has been invoiced on that day or later
    select
        customer_id,
        product_id,
        price_ref,
        price_key,
        price_model,
        cycle_months,
        currency,
        billing_cycle_day,
        greatest(cycle_start, valid_from) as billing_start,
        least(
            {{ add_to_date('month', 'cycle_months', 'cycle_start') }},
            coalesce(valid_to, {{ add_to_date('month', 'cycle_months', 'cycle_start') }})
        ) as billing_end,
    from anchored
    where
        cycle_start >= first_cycle_start
        and greatest(cycle_start, valid_from) <= invoiced_on
        and coalesce(cycle_start < valid_to, true)
        and mod({{ date_difference('month', 'first_cycle_start', 'cycle_start') }}, cycle_months) = 0

),

billed_fees as (

    -- on drafts and voided invoices too
    select
        lines.customer_id,
        lines.product_id,
        lines.period_start,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id and invoices.invoice_source = 'subscription'
    where lines.line_kind = 'fixed_fee'

),

dated_invoices as (

    select
        customer_id,
        invoice_date,
        invoice_id,
        currency,
    from orb_lines
    qualify row_number() over (partition by customer_id, invoice_date order by invoice_id, invoice_line_id) = 1

),

cycles_not_billed as (

    select
        cycles.*,
        invoices.invoice_id,
        invoices.currency as invoice_currency,
    from cycles
    left join billed_fees as fees
        on
            cycles.customer_id = fees.customer_id
            and cycles.product_id = fees.product_id
            and cycles.billing_start <= fees.period_start
            and cycles.billing_end > fees.period_start
    left join dated_invoices as invoices on cycles.customer_id = invoices.customer_id and cycles.billing_start = invoices.invoice_date
    where fees.customer_id is null

),

spans as (

    select
        customer_id,
        metric,
        period_start,
        period_end,
    from billed
    where line_kind = 'usage'
    union distinct
    select
        customer_id,
        metric,
        billing_start as period_start,
        billing_end as period_end,
    from owed
    where line_kind = 'usage'

),

metered as (

    -- joined by month, so that the cost follows the days used and not their square
    select
        spans.customer_id,
        spans.metric,
        spans.period_start,
        spans.period_end,
        {{ sum_decimal('used.quantity') }} as quantity,
    from spans
    cross join {{ month_series('spans.period_start', add_to_date('day', -1, 'spans.period_end'), 'span_month') }}
    inner join usage_days as used
        on
            spans.customer_id = used.customer_id
            and spans.metric = used.metric
            and used.usage_month = span_month
    where used.usage_date >= spans.period_start and used.usage_date < spans.period_end
    group by spans.customer_id, spans.metric, spans.period_start, spans.period_end

),

billed_metered as (

    select
        billed.*,
        case when billed.line_kind = 'usage' then coalesce(metered.quantity, 0) else 1 end as metered_quantity,
    from billed
    left join metered
        on
            billed.line_kind = 'usage'
            and billed.customer_id = metered.customer_id
            and billed.metric = metered.metric
            and billed.period_start = metered.period_start
            and billed.period_end = metered.period_end

),

billed_in_period as (

    select
        customer_id,
        product_id,
        line_kind,
        billing_start,
        {{ sum_decimal('metered_quantity') }} as metered_quantity,
        min(period_start) as first_start,
        max(period_end) as last_end,
    from billed_metered
    group by customer_id, product_id, line_kind, billing_start

),

unbilled as (

    select
        owed.*,
        case when owed.line_kind = 'usage' then metered.quantity - coalesce(found.metered_quantity, 0) else 1 end as metered_quantity,
        case
            when found.product_id is null or found.first_start > owed.billing_start then owed.billing_start
            else found.last_end
        end as period_start,
    from owed
    left join billed_in_period as found
        on
            owed.customer_id = found.customer_id
            and owed.product_id = found.product_id
            and owed.line_kind = found.line_kind
            and owed.billing_start = found.billing_start
    left join metered
        on
            owed.customer_id = metered.customer_id
            and owed.metric = metered.metric
            and owed.billing_start = metered.period_start
            and owed.billing_end = metered.period_end
    where
        (owed.line_kind = 'usage' and metered.quantity > coalesce(found.metered_quantity, 0))
        or (owed.line_kind <> 'usage' and found.product_id is null)

),

charges as (

    select
        customer_id,
        product_id,
        metric,
        line_kind,
        invoice_id,
        invoice_line_id,
        price_ref,
        agreed_price_key as price_key,
        agreed_price_model as price_model,
        price_key as orb_price_key,
        price_model as orb_price_model,
        agreed_currency as currency,
        currency as invoice_currency,
        {{ to_decimal('metered_quantity') }} as metered_quantity,
        quantity as billed_quantity,
        subtotal_amount as billed_subtotal_amount,
        adjusted_amount as billed_amount,
        billing_cycle_day,
        cycle_months,
        billing_start,
        billing_end,
        period_start,
        period_end,
    from billed_metered
    where line_kind <> 'minimum'
    union all
    select
        unbilled.customer_id,
        unbilled.product_id,
        unbilled.metric,
        unbilled.line_kind,
        unbilled.invoice_id,
        cast(null as string) as invoice_line_id,
        unbilled.price_ref,
        unbilled.price_key,
        unbilled.price_model,
        cast(null as string) as orb_price_key,
        cast(null as string) as orb_price_model,
        unbilled.currency,
        unbilled.invoice_currency,
        {{ to_decimal('unbilled.metered_quantity') }} as metered_quantity,
        cast(null as {{ decimal_type() }}) as billed_quantity,
        cast(null as {{ decimal_type() }}) as billed_subtotal_amount,
        cast(null as {{ decimal_type() }}) as billed_amount,
        unbilled.billing_cycle_day,
        unbilled.cycle_months,
        unbilled.billing_start,
        unbilled.billing_end,
        unbilled.period_start,
        unbilled.billing_end as period_end,
    from unbilled
    union all
    select
        customer_id,
        product_id,
        cast(null as string) as metric,
        'fixed_fee' as line_kind,
        invoice_id,
        cast(null as string) as invoice_line_id,
        price_ref,
        price_key,
        price_model,
        cast(null as string) as orb_price_key,
        cast(null as string) as orb_price_model,
        currency,
        invoice_currency,
        {{ decimal_literal('1') }} as metered_quantity,
        cast(null as {{ decimal_type() }}) as billed_quantity,
        cast(null as {{ decimal_type() }}) as billed_subtotal_amount,
        cast(null as {{ decimal_type() }}) as billed_amount,
        billing_cycle_day,
        cycle_months,
        billing_start,
        billing_end,
        billing_start as period_start,
        billing_end as period_end,
    from cycles_not_billed
    union all
    -- the true-up is of the whole period, and there may be nothing to true up; of several contracts the last is in force
    select
        periods.customer_id,
        'minimum' as product_id,
        cast(null as string) as metric,
        'minimum' as line_kind,
        periods.invoice_id,
        billed.invoice_line_id,
        terms.contract_id as price_ref,
        cast(null as string) as price_key,
        'minimum' as price_model,
        cast(null as string) as orb_price_key,
        cast(null as string) as orb_price_model,
        terms.currency,
        periods.invoice_currency,
        {{ decimal_literal('1') }} as metered_quantity,
        billed.quantity as billed_quantity,
        billed.subtotal_amount as billed_subtotal_amount,
        billed.adjusted_amount as billed_amount,
        periods.billing_cycle_day,
        1 as cycle_months,
        periods.billing_start,
        periods.billing_end,
        periods.billing_start as period_start,
        periods.billing_end as period_end,
    from periods
    inner join {{ ref('int_rating__contract_terms') }} as terms
        on
            periods.customer_id = terms.customer_id
            and terms.adjustment_type = 'minimum'
            and periods.billing_start >= terms.valid_from
            and coalesce(periods.billing_start < terms.valid_to, true)
    left join billed
        on
            periods.customer_id = billed.customer_id
            and periods.billing_start = billed.billing_start
            and billed.line_kind = 'minimum'
    qualify
        row_number() over (
            partition by periods.customer_id, periods.billing_start
            order by terms.valid_from desc, terms.contract_id asc, billed.invoice_line_id asc
        ) = 1

)

select
    concat(customer_id, '/', product_id, '/', {{ iso_date('period_start') }}) as charge_id,
    *,
    {{ date_difference('day', 'period_start', 'period_end') }} as days_billed,
    case
        when extract(day from period_start) = billing_cycle_day
            then {{ date_difference('day', 'period_start', add_to_date('month', 'cycle_months', 'period_start')) }}
        else {{ date_difference('day', add_to_date('month', '-cycle_months', 'period_end'), 'period_end') }}
    end as days_of_cycle,
from charges
