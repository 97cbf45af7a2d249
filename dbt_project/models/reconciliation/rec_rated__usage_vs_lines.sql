with rated as (

    -- what cannot be rated again has no amount: rec_rated__coverage lists it
    select
        lines.*,
        explanations.explained_by,
        lines.price_key is null and lines.line_kind <> 'minimum' as is_unpriced,
        coalesce(lines.currency <> lines.invoice_currency, false) as is_other_currency,
    from {{ ref('int_rating__lines') }} as lines
    left join {{ ref('int_rating__explanations') }} as explanations on lines.charge_id = explanations.charge_id

),

invoices_in_other_currency as (

    select
        invoice_id,
        concat(min(customer_id), '/', {{ iso_date('min(billing_start)') }}) as ref,
    from rated
    where is_other_currency
    group by invoice_id

),

orb_lines as (

    select
        lines.*,
        rated.metered_quantity as quantity_behind,
    from {{ ref('int_rating__orb_lines') }} as lines
    left join rated on lines.invoice_line_id = rated.invoice_line_id
    where
        (lines.quantity <> 0 or lines.subtotal_amount <> 0 or lines.adjusted_amount <> 0)
        and (rated.charge_id is null or rated.is_unpriced or rated.amount is not null)

),

whole_invoices as (

    -- nor is an invoice none of whose lines stands for anything that was owed
    select invoice_id from invoices_in_other_currency
    union distinct
    select orb_lines.invoice_id
    from orb_lines
    left join rated on orb_lines.invoice_line_id = rated.invoice_line_id
    group by orb_lines.invoice_id
    having count(*) > 1 and count(rated.charge_id) = 0

),

left_side as (

    select
        rated.charge_id as ref,
        rated.customer_id,
        {{ year_month('rated.period_start') }} as period,
        rated.currency,
        rated.amount,
        rated.invoice_line_id as orb_ref,
        rated.line_kind,
        rated.price_model,
        rated.price_ref,
        rated.metered_quantity,
        rated.explained_by,
    from rated
    left join orb_lines on rated.invoice_line_id = orb_lines.invoice_line_id
    where
        rated.amount is not null
        and not rated.is_other_currency
        and (rated.amount <> 0 or orb_lines.invoice_line_id is not null)
    union all
    -- an invoice in another currency is one mistake, not one a line
    select
        invoices.ref,
        min(rated.customer_id) as customer_id,
        {{ year_month('min(rated.billing_start)') }} as period,
        min(rated.currency) as currency,
        {{ sum_decimal('rated.amount') }} as amount,
        rated.invoice_id as orb_ref,
        'invoice' as line_kind,
        cast(null as string) as price_model,
        min(rated.price_ref) as price_ref,
        cast(null as {{ decimal_type() }}) as metered_quantity,
        cast(null as string) as explained_by,
    from rated
    inner join invoices_in_other_currency as invoices on rated.invoice_id = invoices.invoice_id
    where rated.amount is not null and rated.is_other_currency
    group by invoices.ref, rated.invoice_id

),

right_side as (

    select
        orb_lines.invoice_line_id as ref,
        orb_lines.customer_id,
        {{ year_month('orb_lines.period_start') }} as period,
        orb_lines.currency,
        orb_lines.adjusted_amount as amount,
        orb_lines.invoice_id,
        orb_lines.line_kind,
        orb_lines.price_model,
        orb_lines.price_id,
        orb_lines.metric,
        orb_lines.quantity,
        coalesce(orb_lines.quantity_behind, 0) as quantity_behind,
        orb_lines.is_of_other_item,
    from orb_lines
    left join whole_invoices as invoices on orb_lines.invoice_id = invoices.invoice_id
    where invoices.invoice_id is null
    union all
    select
        orb_lines.invoice_id as ref,
        min(orb_lines.customer_id) as customer_id,
        {{ year_month('min(orb_lines.billing_start)') }} as period,
        min(orb_lines.currency) as currency,
        {{ sum_decimal('orb_lines.adjusted_amount') }} as amount,
        orb_lines.invoice_id,
        'invoice' as line_kind,
        cast(null as string) as price_model,
        cast(null as string) as price_id,
        cast(null as string) as metric,
        cast(null as {{ decimal_type() }}) as quantity,
        cast(null as {{ decimal_type() }}) as quantity_behind,
        false as is_of_other_item,
    from orb_lines
    inner join whole_invoices as invoices on orb_lines.invoice_id = invoices.invoice_id
    group by orb_lines.invoice_id

),

{{ reconcile(
    comparison='rated__usage_vs_lines',
    passes=[
        {'rule': 'customer_product_period', 'on': 'r.ref = l.orb_ref'},
    ],
    causes=[
        {'cause': 'price_currency_differs', 'when': 'l.currency <> r.currency'},
        {'cause': 'minimum_missed', 'when': "m.is_different and l.line_kind = 'minimum'"},
        {'cause': 'line_missing', 'when': 'm.is_different and m.right_ref is null'},
        {'cause': 'line_without_usage', 'when': "r.line_kind in ('usage', 'fixed_fee') and r.quantity <> 0 and r.quantity_behind = 0"},
        {'cause': 'price_differs', 'when': "m.is_different and l.explained_by = 'orb_price'"},
        {'cause': 'allowance_ignored', 'when': "m.is_different and l.explained_by = 'without_allowance'"},
        {'cause': 'discount_misapplied', 'when': "m.is_different and l.explained_by like '%_discount%'"},
        {'cause': 'maximum_missed', 'when': "m.is_different and l.explained_by = 'without_maximum'"},
        {'cause': 'tier_misapplied', 'when': "m.is_different and l.explained_by in ('other_tier_mode', 'tier_below', 'tier_above')"},
        {'cause': 'proration_differs', 'when': "m.is_different and l.explained_by = 'other_days'"},
        {'cause': 'billed_quantity_differs', 'when': "m.is_different and l.explained_by = 'billed_quantity'"},
        {'cause': 'billed_quantity_differs', 'when': "not m.is_different and r.line_kind = 'usage' and r.quantity <> r.quantity_behind"},
        {'cause': 'rounding_differs', 'when': "m.is_different and l.explained_by like 'rounded_%'"},
        {'cause': 'unexplained', 'when': 'r.is_of_other_item'},
    ],
    evidence={
        'line_kind': 'coalesce(l.line_kind, r.line_kind)',
        'agreed_in': 'l.price_ref',
        'agreed_price_model': 'l.price_model',
        'orb_price_id': 'r.price_id',
        'orb_price_model': 'r.price_model',
        'is_of_another_item_than_its_price': 'cast(r.is_of_other_item as string)',
        'orb_invoice_id': 'r.invoice_id',
        'metric': 'r.metric',
        'metered_quantity': decimal_text('coalesce(l.metered_quantity, r.quantity_behind)'),
        'billed_quantity': decimal_text('r.quantity'),
        'orb_amount_is_reached_by': 'l.explained_by',
    },
) }}
