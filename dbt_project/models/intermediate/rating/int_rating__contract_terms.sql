with contracts as (

    select
        contract_id,
        customer_id,
        currency,
        monthly_commitment_amount,
        discount_percent,
        adjustments,
        start_date,
        {{ add_to_date('day', 1, 'end_date') }} as valid_to,
    from {{ ref('stg_app__contracts') }}
    where not is_deleted

),

adjustments as (

    select
        contracts.contract_id,
        contracts.customer_id,
        contracts.currency,
        {{ json_text('adjustment', '$.product_code') }} as product_id,
        {{ json_text('adjustment', '$.adjustment_type') }} as adjustment_type,
        {{ to_big_decimal(json_text('adjustment', '$.value')) }} as adjustment_value,
        {{ to_date(json_text('adjustment', '$.start_date')) }} as valid_from,
        {{ to_date(json_text('adjustment', '$.end_date')) }} as valid_to,
    from contracts
    {{ unnest_json_array('contracts.adjustments', '$', 'adjustment', 'adjustment_offset') }}

)

select * from adjustments
{% for adjustment_type, column in [('percentage_discount', 'discount_percent'), ('minimum', 'monthly_commitment_amount')] -%}
union all
select
    contract_id,
    customer_id,
    currency,
    cast(null as string) as product_id,
    '{{ adjustment_type }}' as adjustment_type,
    {{ to_big_decimal(column) }} as adjustment_value,
    start_date as valid_from,
    valid_to,
from contracts
where {{ column }} <> 0
{% endfor %}
