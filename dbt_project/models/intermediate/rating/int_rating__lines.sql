{{ config(materialized='table') }}

with amounts as (

    {% for model in ['priced_lines', 'percent', 'minimum'] -%}
    select
        charge_id,
        amount,
    from {{ ref('int_rating__' ~ model) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    charges.charge_id,
    charges.customer_id,
    charges.product_id,
    charges.line_kind,
    charges.invoice_id,
    charges.invoice_line_id,
    charges.price_ref,
    charges.price_key,
    charges.price_model,
    charges.orb_price_model,
    charges.currency,
    charges.invoice_currency,
    charges.metered_quantity,
    charges.billed_quantity,
    amounts.amount,
    charges.billed_amount,
    charges.billing_start,
    charges.period_start,
    charges.period_end,
from {{ ref('int_rating__charges') }} as charges
left join amounts on charges.charge_id = amounts.charge_id
