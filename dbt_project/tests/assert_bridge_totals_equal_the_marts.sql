{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'rec_bridge'}}}) }}

-- Matching must neither lose a row nor count one twice: per comparison and currency the bridge's totals are the marts' own.
with bridge as (

    select
        comparison,
        currency,
        line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('rec_bridge') }}
    where line in ('left_total', 'right_total') and comparison <> 'invoiced__orb_paid_vs_stripe_paid'
    group by comparison, currency, line

),

marts as (

    select
        'metered__app_vs_orb' as comparison,
        metric as currency,
        'left_total' as line,
        {{ sum_decimal('quantity') }} as amount,
    from {{ ref('fct_usage_daily') }}
    group by metric
    union all
    select
        'metered__app_vs_orb' as comparison,
        metric as currency,
        'right_total' as line,
        {{ sum_decimal('quantity') }} as amount,
    from {{ ref('int_usage__orb_daily') }}
    group by metric
    union all
    select
        'rated__usage_vs_lines' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('int_rating__lines') }}
    where amount is not null
    group by currency
    union all
    select
        'rated__usage_vs_lines' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('rec_rated__coverage') }}
    where coverage = 'rerated'
    group by currency
    union all
    select
        'invoiced__orb_vs_stripe' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount_due') }} as amount,
    from {{ ref('fct_invoices') }}
    where status in ('issued', 'synced', 'paid') and amount_due > 0
    group by currency
    union all
    select
        'invoiced__orb_vs_stripe' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('total_amount') }} as amount,
    from {{ ref('fct_stripe_invoices') }}
    where status in ('open', 'paid', 'uncollectible')
    group by currency
    union all
    select
        'banked__payouts_vs_bank' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_payouts') }}
    where status in ('paid', 'in_transit')
    group by currency
    union all
    select
        'banked__payouts_vs_bank' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_bank_lines') }}
    where amount > 0
    group by currency

)

select
    coalesce(bridge.comparison, marts.comparison) as comparison,
    coalesce(bridge.currency, marts.currency) as currency,
    coalesce(bridge.line, marts.line) as line,
    bridge.amount as in_bridge,
    marts.amount as in_mart,
from bridge
full outer join marts
    on
        bridge.comparison = marts.comparison
        and bridge.currency = marts.currency
        and bridge.line = marts.line
where coalesce(bridge.amount, 0) <> coalesce(marts.amount, 0)
