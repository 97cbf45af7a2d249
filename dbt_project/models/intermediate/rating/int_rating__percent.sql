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
        case
            when prices.is_prorated then {{ big_divide(big_multiply('prices.minimum_amount', 'fees.days_billed'), 'fees.days_of_cycle') }}
            else prices.minimum_amount
        end as least_amount,
        prices.maximum_amount as most_amount,
    from fees
    inner join {{ ref('int_rating__prices') }} as prices on fees.{{ price_key }} = prices.price_key and prices.price_model = 'percent'
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
    from bounds

)

select
    charge_id,
    max(case when attempt = 'agreed' then {{ round_to_minor_unit('amount', 'currency') }} end) as amount,
    max(case when attempt = 'orb_price' then {{ round_to_minor_unit('amount', 'currency') }} end) as orb_price_amount,
from clamped
group by charge_id
