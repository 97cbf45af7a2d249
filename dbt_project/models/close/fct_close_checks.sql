with unexplained as (

    select
        hop,
        currency,
        period,
        {{ sum_decimal('abs(amount)') }} as amount,
    from {{ ref('rec_bridge') }}
    where line = 'unexplained'
    group by hop, currency, period

),

materiality as (

    -- and a last one, for what no row says anything of
    select
        hop,
        currency,
        limit_amount,
    from {{ ref('close_materiality') }}
    union all
    select
        'none' as hop,
        'none' as currency,
        {{ decimal_literal('0') }} as limit_amount,

),

limits as (

    -- the hop's own row before any, the currency's own before any; an outer join on this condition BigQuery has not
    select
        unexplained.hop,
        unexplained.currency,
        unexplained.period,
        unexplained.amount,
        materiality.limit_amount,
    from unexplained
    inner join materiality
        on
            materiality.hop in (unexplained.hop, 'any', 'none')
            and materiality.currency in (unexplained.currency, 'any', 'none')
    qualify row_number() over (
        partition by unexplained.hop, unexplained.currency, unexplained.period
        order by
            case materiality.hop when 'none' then 2 when 'any' then 1 else 0 end,
            case when materiality.currency = 'any' then 1 else 0 end
    ) = 1

),

months as (

    select distinct period
    from {{ ref('rec_bridge') }}

),

checks as (

    select
        'unexplained' as check_kind,
        hop as subject,
        currency,
        period,
        amount,
        limit_amount,
        amount <= limit_amount as is_passed,
        cast(null as {{ timestamp_type() }}) as certified_through,
    from limits
    union all
    select
        'certificate' as check_kind,
        streams.stream as subject,
        cast(null as string) as currency,
        months.period,
        {{ to_decimal('streams.differing_days') }} as amount,
        {{ decimal_literal('0') }} as limit_amount,
        coalesce(
            {{ date_of('streams.certified_through') }} >= {{ add_to_date('month', 1, "cast(concat(months.period, '-01') as date)") }},
            false
        ) as is_passed,
        streams.certified_through,
    from {{ ref('dim_streams') }} as streams
    cross join months
    where not streams.is_looked_up

)

select
    {{ surrogate_key(['check_kind', 'subject', 'currency', 'period']) }} as close_check_id,
    check_kind,
    subject,
    currency,
    period,
    amount,
    limit_amount,
    is_passed,
    cast(certified_through as timestamp) as certified_through,
from checks
