with services as (

    select
        invoice_id,
        min(period_start) as first_day,
    from {{ ref('fct_invoice_lines') }}
    group by invoice_id

),

billed_after_deletion as (

    select
        customers.customer_id,
        invoices.currency,
        {{ sum_decimal('invoices.total_amount') }} as amount,
    from {{ ref('dim_customers') }} as customers
    inner join {{ ref('fct_invoices') }} as invoices on customers.customer_id = invoices.customer_id
    inner join services on invoices.invoice_id = services.invoice_id
    where
        customers.is_deleted
        and services.first_day >= {{ date_of('customers.deleted_at') }}
        and invoices.status in ('issued', 'synced', 'paid')
    group by customers.customer_id, invoices.currency

),

used as (

    select
        customer_id,
        max(usage_date) as last_used_on,
    from {{ ref('fct_usage_daily') }}
    group by customer_id

),

left_side as (

    -- what Orb may bill under the id that the product names: what it served before it deleted the customer
    select
        case
            when coalesce(billed.is_main_currency, true) then customers.customer_id
            else concat(customers.customer_id, '/', billed.currency)
        end as ref,
        customers.customer_id,
        coalesce(billed.period, {{ year_month(date_of('customers.created_at')) }}) as period,
        coalesce(billed.currency, customers.currency, 'XXX') as currency,
        {{ to_decimal('coalesce(billed.billed_amount, 0) - coalesce(after.amount, 0)') }} as amount,
        customers.orb_customer_id,
        customers.stripe_customer_id,
        customers.currency as own_currency,
        billed.orb_customer_id is not null as is_in_orb,
        customers.account_type,
        customers.is_deleted,
        customers.deleted_at,
        used.last_used_on,
    from {{ ref('dim_customers') }} as customers
    left join {{ ref('int_customers__orb_billed') }} as billed on customers.orb_customer_id = billed.orb_customer_id
    left join used on customers.customer_id = used.customer_id
    left join billed_after_deletion as after on customers.customer_id = after.customer_id and billed.currency = after.currency

),

right_side as (

    select
        case when is_main_currency then orb_customer_id else concat(orb_customer_id, '/', currency) end as ref,
        customer_id,
        period,
        currency,
        billed_amount as amount,
        orb_customer_id,
        stripe_customer_id,
        own_currency,
        is_known,
    from {{ ref('int_customers__orb_billed') }}

),

{#- that a deleted customer is still used is said once, whatever currencies it was billed in -#}
{%- set is_still_used = 'l.ref = l.customer_id and l.is_deleted and l.last_used_on > ' ~ date_of('l.deleted_at') %}

{{ reconcile(
    comparison='identity__app_vs_orb',
    passes=[
        {'rule': 'named_id', 'on': 'r.orb_customer_id = l.orb_customer_id and r.currency = l.currency'},
        {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.customer_id = l.customer_id'},
    ],
    causes=[
        {'cause': 'deleted_customer_active', 'when': "m.is_different and m.match_rule = 'named_id' and l.is_deleted"},
        {'cause': 'customer_unmapped', 'when': 'm.left_ref is null or (m.right_ref is null and l.orb_customer_id is not null and not l.is_in_orb)'},
        {'cause': 'unexplained', 'when': "m.match_rule = 'second_claim' or not r.is_known or l.own_currency <> r.own_currency"},
        {'cause': 'deleted_customer_active', 'when': is_still_used},
        {'cause': 'unexplained', 'when': 'l.customer_id <> r.customer_id or l.stripe_customer_id <> r.stripe_customer_id'},
    ],
    evidence={
        'product_names_orb_customer': 'l.orb_customer_id',
        'orb_names_customer': 'r.customer_id',
        'product_names_stripe_customer': 'l.stripe_customer_id',
        'orb_names_stripe_customer': 'r.stripe_customer_id',
        'currency_in_orb': 'r.own_currency',
        'account_type': 'l.account_type',
        'last_used_on': 'cast(l.last_used_on as string)',
        'deleted_on': 'cast(' ~ date_of('l.deleted_at') ~ ' as string)',
    },
) }}
