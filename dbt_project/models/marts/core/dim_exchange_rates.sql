{#- a week is longer than any holiday that publishers keep: what is older is no rate of the day -#}
{%- set days_held = 7 -%}

with published as (

    select
        publisher,
        currency,
        quote_currency,
        exchange_rate,
        published_on,
        {{ add_to_date('day', days_held - 1, 'published_on') }} as last_held_on,
        lead(published_on) over (partition by publisher, currency, quote_currency order by published_on) as next_published_on,
    from {{ ref('stg_app__exchange_rates') }}
    where not is_deleted

),

held as (

    select
        published.publisher,
        published.currency,
        published.quote_currency,
        published.exchange_rate,
        published.published_on,
        day as rate_date,
    from published
    cross join {{ day_series('published.published_on', 'published.last_held_on', 'day') }}
    where day < coalesce(published.next_published_on, {{ date_literal('9999-12-31') }})

),

worth as (

    select * from held
    union all
    -- the currency that a publisher's rates are in is worth one of itself
    select distinct
        publisher,
        quote_currency as currency,
        quote_currency,
        {{ to_big_decimal('1') }} as exchange_rate,
        rate_date as published_on,
        rate_date,
    from held

),

converted as (

    select
        worth.currency,
        reporting.currency as reporting_currency,
        {{ to_decimal(big_divide('worth.exchange_rate', 'reporting.exchange_rate')) }} as exchange_rate,
        case
            when worth.currency = reporting.currency then 'same currency'
            when reporting.currency = worth.quote_currency then worth.publisher
            when worth.currency = worth.quote_currency then concat(worth.publisher, ', inverted')
            else concat(worth.publisher, ', through ', worth.quote_currency)
        end as exchange_rate_source,
        least(worth.published_on, reporting.published_on) as published_on,
        worth.rate_date,
    from worth
    inner join worth as reporting
        on
            worth.publisher = reporting.publisher
            and worth.quote_currency = reporting.quote_currency
            and worth.rate_date = reporting.rate_date
    where reporting.currency = {{ reporting_currency() }}
    -- of several publishers the one that says it directly, then the newest, then the first by name
    qualify row_number() over (
        partition by worth.currency, worth.rate_date
        order by
            case when worth.quote_currency = reporting.currency then 0 else 1 end asc,
            least(worth.published_on, reporting.published_on) desc,
            worth.publisher asc,
            worth.quote_currency asc
    ) = 1

)

select
    converted.currency,
    converted.reporting_currency,
    converted.exchange_rate,
    converted.exchange_rate_source,
    converted.published_on,
    converted.rate_date,
    {{ certified_through() }} as certified_through,
from converted
