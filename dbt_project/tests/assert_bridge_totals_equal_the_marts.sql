{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'rec_bridge'}}}) }}

-- Matching must neither lose a row nor count one twice: per comparison and currency the bridge's totals are the marts' own.
with credit_invoices as (

    select
        lines.invoice_id,
        lines.currency,
        invoices.status,
        {{ sum_decimal('lines.adjusted_amount') }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where lines.line_kind = 'prepaid_credit'
    group by lines.invoice_id, lines.currency, invoices.status

),

sold_blocks as (

    select distinct grants.credit_block_id
    from {{ ref('stg_orb__credit_ledger') }} as grants
    inner join {{ ref('fct_invoices') }} as invoices on grants.created_invoice_id = invoices.invoice_id
    inner join credit_invoices on invoices.invoice_id = credit_invoices.invoice_id
    where not grants.is_deleted and not invoices.is_internal and invoices.status in ('issued', 'synced', 'paid')

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
    {% for side, events in [('left', 'app_events'), ('right', 'orb_events')] -%}
    select
        'metered__app_vs_orb_volume' as comparison,
        'events' as currency,
        '{{ side }}_total' as line,
        {{ sum_decimal(events) }} as amount,
    from {{ ref('int_usage__event_counts_hourly') }}
    union all
    {% endfor -%}
    select
        'credits__topups_vs_grants' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from (
        select
            payments.currency,
            payments.amount,
        from {{ ref('fct_payments') }} as payments
        left join credit_invoices on payments.invoice_id = credit_invoices.invoice_id
        where payments.purpose = 'top_up' and payments.status = 'succeeded' and credit_invoices.invoice_id is null
        union all
        select
            currency,
            amount,
        from credit_invoices
        where status <> 'void'
    ) as paid
    group by currency
    union all
    select
        'credits__movements_vs_balances' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_credit_ledger') }}
    where entry_type not in ('expiration_change', 'void_initiated')
    group by currency
    union all
    select
        'credits__draw_order_vs_ledger' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('-amount') }} as amount,
    from {{ ref('fct_credit_ledger') }}
    where entry_type = 'decrement'
    group by currency
    union all
    select
        'credits__wallet_vs_ledger' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('stg_app__wallet_transactions') }}
    group by currency
    union all
    select
        'credits__draws_vs_invoice_lines' as comparison,
        lines.currency,
        'right_total' as line,
        {{ sum_decimal('lines.credits_applied_amount') }} as amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where invoices.status in ('issued', 'synced', 'paid')
    group by lines.currency
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
        {{ sum_decimal('amount') }} as amount,
    from (
        select
            currency,
            amount_due as amount,
        from {{ ref('fct_invoices') }}
        where status in ('issued', 'synced', 'paid') and amount_due > 0
        union all
        -- which drafts count, the comparison says
        select
            matches.currency,
            drafts.amount_due as amount,
        from {{ ref('rec_matches') }} as matches
        inner join {{ ref('fct_invoices') }} as drafts on matches.left_ref = drafts.invoice_id and drafts.status = 'draft'
        where matches.comparison = 'invoiced__orb_vs_stripe'
    ) as expected
    group by currency
    union all
    select
        'invoiced__orb_vs_stripe' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from (
        select
            currency,
            total_amount as amount,
        from {{ ref('fct_stripe_invoices') }}
        where status in ('open', 'paid', 'uncollectible')
        union all
        select
            currency,
            amount_captured as amount,
        from {{ ref('fct_payments') }}
        where status = 'succeeded' and invoice_id is not null and stripe_invoice_id is null
    ) as collected
    group by currency
    union all
    select
        'collected__invoices_vs_payments' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('amount_paid') }} as amount,
    from {{ ref('int_cash__invoice_payments') }}
    where not is_outside_stripe
    group by currency
    union all
    select
        'collected__payments_vs_charges' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal("amount_captured - case when purpose = 'other' then amount_refunded else 0 end") }} as amount,
    from {{ ref('fct_payments') }}
    where status = 'succeeded'
    group by currency
    union all
    select
        'collected__fees_vs_schedule' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('fee_amount') }} as amount,
    from {{ ref('fct_balance_transactions') }}
    group by currency
    union all
    select
        'collected__refunds_vs_credit_notes' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('returned_amount') }} as amount,
    from {{ ref('fct_stripe_credit_notes') }}
    where status = 'issued'
    group by currency
    union all
    select
        'recognised__due_expiries_vs_ledger' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('-amount') }} as amount,
    from {{ ref('fct_credit_ledger') }}
    where entry_type = 'credit_block_expiry'
    group by currency
    union all
    select
        'recognised__revenue_vs_journal' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_revenue_daily') }}
    group by currency
    union all
    select
        'recognised__prepaid_lines_vs_use' as comparison,
        ledger.currency,
        'right_total' as line,
        {{ sum_decimal('-ledger.amount * ledger.cost_basis') }} as amount,
    from {{ ref('fct_credit_ledger') }} as ledger
    inner join sold_blocks on ledger.credit_block_id = sold_blocks.credit_block_id
    where ledger.entry_type in ('decrement', 'amendment', 'credit_block_expiry')
    group by ledger.currency
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
    union all
    select
        'settled__payouts_vs_transactions' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_payouts') }}
    where attribution <> 'not_listed_yet'
    group by currency
    union all
    select
        'settled__failed_payouts_vs_returns' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_payouts') }}
    where status in ('failed', 'canceled')
    group by currency
    union all
    select
        'settled__rolled_balance_vs_unsettled' as comparison,
        currency,
        'left_total' as line,
        {{ sum_decimal('net_amount') }} as amount,
    from {{ ref('fct_balance_transactions') }}
    group by currency
    union all
    select
        'identity__app_vs_orb' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('total_amount') }} as amount,
    from {{ ref('fct_invoices') }}
    where status in ('issued', 'synced', 'paid')
    group by currency
    union all
    select
        'identity__app_vs_stripe' as comparison,
        currency,
        'right_total' as line,
        {{ sum_decimal('amount') }} as amount,
    from {{ ref('fct_payments') }}
    where status = 'succeeded'
    group by currency

),

covered as (

    select distinct
        comparison,
        line,
    from marts

),

bridge as (

    -- what a comparison derives from another comparison has no total of its own in the marts
    select
        lines.comparison,
        lines.currency,
        lines.line,
        {{ sum_decimal('lines.amount') }} as amount,
    from {{ ref('rec_bridge') }} as lines
    inner join covered
        on lines.comparison = covered.comparison and lines.line = covered.line
    group by lines.comparison, lines.currency, lines.line

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
