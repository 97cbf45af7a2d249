{{ config(group='tieout', meta={'dagster': {'ref': {'name': 'rec_bridge'}}}) }}

{#- of each comparison the sides that a mart adds up too: what, in which currency, of what, under which condition -#}
{%- set stands = "status in ('issued', 'synced', 'paid')" %}
{%- set succeeded = "status = 'succeeded'" %}
{%- set sides = [
    ('metered__app_vs_orb', 'left', 'quantity', 'metric', ref('fct_usage_daily'), none),
    ('metered__app_vs_orb', 'right', 'quantity', 'metric', ref('int_usage__orb_daily'), none),
    ('metered__app_vs_orb_volume', 'left', 'app_events', "'events'", ref('int_usage__event_counts_hourly'), none),
    ('metered__app_vs_orb_volume', 'right', 'orb_events', "'events'", ref('int_usage__event_counts_hourly'), none),
    ('credits__topups_vs_grants', 'left', 'amount', 'currency', 'topped_up', none),
    ('credits__movements_vs_balances', 'left', 'amount', 'currency', ref('fct_credit_ledger'), "entry_type not in ('expiration_change', 'void_initiated')"),
    ('credits__draw_order_vs_ledger', 'right', '-amount', 'currency', ref('fct_credit_ledger'), "entry_type = 'decrement'"),
    ('credits__wallet_vs_ledger', 'left', 'amount', 'currency', ref('stg_app__wallet_transactions'), none),
    ('credits__draws_vs_invoice_lines', 'right', 'credits_applied_amount', 'currency', 'lines_that_stand', none),
    ('rated__usage_vs_lines', 'left', 'amount', 'currency', ref('int_rating__lines'), 'amount is not null'),
    ('rated__usage_vs_lines', 'right', 'amount', 'currency', ref('rec_rated__coverage'), "coverage = 'rerated'"),
    ('invoiced__orb_vs_stripe', 'left', 'amount', 'currency', 'owed_by_orb', none),
    ('invoiced__orb_vs_stripe', 'right', 'amount', 'currency', 'asked_or_taken_by_stripe', none),
    ('collected__invoices_vs_payments', 'right', 'amount_paid', 'currency', ref('int_cash__invoice_payments'), 'not is_outside_stripe'),
    ('collected__payments_vs_charges', 'right', "amount_captured - case when purpose = 'other' then amount_refunded else 0 end", 'currency',
        ref('fct_payments'), succeeded),
    ('collected__fees_vs_schedule', 'right', 'fee_amount', 'currency', ref('fct_balance_transactions'), none),
    ('collected__refunds_vs_credit_notes', 'right', 'returned_amount', 'currency', ref('fct_stripe_credit_notes'), "status = 'issued'"),
    ('recognised__due_expiries_vs_ledger', 'right', '-amount', 'currency', ref('fct_credit_ledger'), "entry_type = 'credit_block_expiry'"),
    ('recognised__revenue_vs_journal', 'left', 'amount', 'currency', ref('fct_revenue_daily'), none),
    ('recognised__prepaid_lines_vs_use', 'right', '-amount * cost_basis', 'currency', 'use_of_sold_credit', none),
    ('banked__payouts_vs_bank', 'left', 'amount', 'currency', ref('fct_payouts'), "status in ('paid', 'in_transit')"),
    ('banked__payouts_vs_bank', 'right', 'amount', 'currency', ref('fct_bank_lines'), 'amount > 0'),
    ('settled__payouts_vs_transactions', 'left', 'amount', 'currency', ref('fct_payouts'), "attribution <> 'not_listed_yet'"),
    ('settled__failed_payouts_vs_returns', 'left', 'amount', 'currency', ref('fct_payouts'), "status in ('failed', 'canceled')"),
    ('settled__rolled_balance_vs_unsettled', 'left', 'net_amount', 'currency', ref('fct_balance_transactions'), none),
    ('identity__app_vs_orb', 'right', 'total_amount', 'currency', ref('fct_invoices'), stands),
    ('identity__app_vs_stripe', 'right', 'amount', 'currency', ref('fct_payments'), succeeded),
] -%}

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

topped_up as (

    select
        payments.currency,
        payments.amount,
    from {{ ref('fct_payments') }} as payments
    left join credit_invoices on payments.invoice_id = credit_invoices.invoice_id
    where payments.purpose = 'top_up' and payments.{{ succeeded }} and credit_invoices.invoice_id is null
    union all
    select
        currency,
        amount,
    from credit_invoices
    where status <> 'void'

),

lines_that_stand as (

    select
        lines.currency,
        lines.credits_applied_amount,
    from {{ ref('fct_invoice_lines') }} as lines
    inner join {{ ref('fct_invoices') }} as invoices on lines.invoice_id = invoices.invoice_id
    where invoices.{{ stands }}

),

owed_by_orb as (

    select
        currency,
        amount_due as amount,
    from {{ ref('fct_invoices') }}
    where {{ stands }} and amount_due > 0
    union all
    -- which drafts count, the comparison says
    select
        matches.currency,
        drafts.amount_due as amount,
    from {{ ref('rec_matches') }} as matches
    inner join {{ ref('fct_invoices') }} as drafts on matches.left_ref = drafts.invoice_id and drafts.status = 'draft'
    where matches.comparison = 'invoiced__orb_vs_stripe'

),

asked_or_taken_by_stripe as (

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
    where {{ succeeded }} and invoice_id is not null and stripe_invoice_id is null

),

sold_blocks as (

    select distinct grants.credit_block_id
    from {{ ref('stg_orb__credit_ledger') }} as grants
    inner join {{ ref('fct_invoices') }} as invoices on grants.created_invoice_id = invoices.invoice_id
    inner join credit_invoices on invoices.invoice_id = credit_invoices.invoice_id
    where not grants.is_deleted and not invoices.is_internal and invoices.{{ stands }}

),

use_of_sold_credit as (

    select
        ledger.currency,
        ledger.amount,
        ledger.cost_basis,
    from {{ ref('fct_credit_ledger') }} as ledger
    inner join sold_blocks on ledger.credit_block_id = sold_blocks.credit_block_id
    where ledger.entry_type in ('decrement', 'amendment', 'credit_block_expiry')

),

marts as (

    {% for comparison, side, amount, currency, source, condition in sides -%}
    select
        '{{ comparison }}' as comparison,
        {{ currency }} as currency,
        '{{ side }}_total' as line,
        {{ sum_decimal(amount) }} as amount,
    from {{ source }}
    {{ 'where ' ~ condition if condition }}
    {{ 'group by ' ~ currency if "'" not in currency }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
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
