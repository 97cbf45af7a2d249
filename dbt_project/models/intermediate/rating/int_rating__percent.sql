with {{ rating_usage_of_invoices('subtotal_amount', 'subtotal_amount') }}

fees as (

    -- of the lines as Orb bills them, so that a wrong line is no second break here; in another currency they are no basis
    select
        charges.charge_id,
        charges.currency,
        charges.price_key,
        charges.orb_price_key,
        charges.days_billed,
        charges.days_of_cycle,
        coalesce(case when charges.currency = charges.invoice_currency then reached.amount end, rated_reached.amount, 0) as base_amount,
    from {{ ref('int_rating__charges') }} as charges
    left join reached on charges.invoice_id = reached.invoice_id
    left join rated_reached on charges.invoice_id = rated_reached.invoice_id
    where charges.line_kind = 'percent_fee'

),

bounds as (

    {% for price, price_key in [('agreed', 'price_key'), ('orb_price', 'orb_price_key')] -%}
    select
        fees.charge_id,
        '{{ price }}' as attempt,
        fees.currency,
        {{ big_multiply('fees.base_amount', 'prices.percent_share') }} as share_amount,
        prices.minimum_amount as minimum_of_cycle,
        {{ big_multiply('prices.minimum_amount', 'fees.days_billed') }} as minimum_of_days,
        prices.maximum_amount as most_amount,
        prices.is_prorated,
        fees.days_of_cycle,
    from fees
    inner join {{ ref('int_rating__prices') }} as prices on fees.{{ price_key }} = prices.price_key and prices.price_model = 'percent'
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

prorated as (

    select
        *,
        case when is_prorated then {{ big_divide('minimum_of_days', 'days_of_cycle') }} else minimum_of_cycle end as least_amount,
    from bounds

),

clamped as (

    select
        charge_id,
        attempt,
        currency,
        case
            when share_amount > most_amount then most_amount
            when share_amount < least_amount then least_amount
            else share_amount
        end as amount,
    from prorated

)

select
    charge_id,
    max(case when attempt = 'agreed' then {{ round_to_minor_unit('amount', 'currency') }} end) as amount,
    max(case when attempt = 'orb_price' then {{ round_to_minor_unit('amount', 'currency') }} end) as orb_price_amount,
from clamped
group by charge_id
