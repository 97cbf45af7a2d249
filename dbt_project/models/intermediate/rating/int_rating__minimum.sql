with {{ rating_usage_of_invoices('adjusted_amount', 'amount') }}

commitments as (

    -- against the lines as Orb bills them, so that a wrong line is no second break here; in another currency they count for nothing
    select
        charges.charge_id,
        terms.adjustment_value as committed_amount,
        coalesce(case when charges.currency = charges.invoice_currency then reached.amount end, rated_reached.amount, 0) as reached_amount,
    from {{ ref('int_rating__charges') }} as charges
    inner join {{ ref('int_rating__contract_terms') }} as terms
        on charges.price_ref = terms.contract_id and terms.adjustment_type = 'minimum'
    left join reached on charges.invoice_id = reached.invoice_id
    left join rated_reached on charges.invoice_id = rated_reached.invoice_id
    where charges.line_kind = 'minimum'

)

select
    charge_id,
    {{ to_decimal('case when committed_amount > reached_amount then committed_amount - reached_amount else 0 end') }} as amount,
from commitments
