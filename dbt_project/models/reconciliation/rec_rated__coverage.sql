with lines as (

    select
        {{ year_month('lines.period_start') }} as period,
        lines.currency,
        coalesce(rated.price_model, lines.price_model) as price_model,
        case
            when invoices.status in ('draft', 'void') then invoices.status
            when invoices.invoice_source <> 'subscription' then 'not_of_a_subscription'
            when compared.invoice_line_id is null then 'customer_unknown'
            when rated.amount is null and rated.price_key is not null then 'not_rerated'
            else 'rerated'
        end as coverage,
        lines.adjusted_amount as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    left join {{ ref('int_rating__orb_lines') }} as compared on lines.invoice_line_id = compared.invoice_line_id
    left join {{ ref('int_rating__lines') }} as rated on lines.invoice_line_id = rated.invoice_line_id
    -- what sells credit bills no service
    where lines.line_kind <> 'prepaid_credit'
    union all
    -- usage under a price that cannot be rated, and no line for it: what it is worth nobody knows
    select
        {{ year_month('period_start') }} as period,
        currency,
        price_model,
        'not_rerated' as coverage,
        {{ decimal_literal('0') }} as amount,
    from {{ ref('int_rating__lines') }}
    where amount is null and invoice_line_id is null

),

totals as (

    select
        period,
        currency,
        price_model,
        coverage,
        count(*) as line_count,
        {{ sum_decimal('amount') }} as amount,
    from lines
    group by period, currency, price_model, coverage

)

select
    period,
    currency,
    price_model,
    coverage,
    line_count,
    amount,
    {{ divide('amount', 'sum(amount) over (partition by period, currency)') }} as share,
from totals
