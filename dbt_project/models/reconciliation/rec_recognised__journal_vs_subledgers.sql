{#- left: what the journal moved on a control account in a month, debits less credits; right: the same by the account's sub-ledger -#}
with invoices as (

    select
        customer_id,
        currency,
        tax_amount,
        status,
        invoice_date,
        coalesce({{ date_of('voided_at') }}, invoice_date) as void_date,
    from {{ ref('fct_invoices') }}
    where (status in ('issued', 'synced', 'paid') or status = 'void' and issued_at is not null) and not is_internal

),

credit_note_taxes as (

    select
        notes.customer_id,
        notes.currency,
        {{ to_decimal('orb.total_amount - orb.subtotal_amount') }} as tax_amount,
        notes.created_at,
        notes.voided_at,
    from {{ ref('fct_credit_notes') }} as notes
    inner join {{ ref('stg_orb__credit_notes') }} as orb on notes.credit_note_id = orb.credit_note_id
    inner join {{ ref('fct_invoices') }} as invoices on notes.invoice_id = invoices.invoice_id
    where invoices.status in ('issued', 'synced', 'paid') and not invoices.is_internal

),

credit_liabilities as (

    select
        customer_id,
        currency,
        period,
        {{ to_decimal('liability_amount - lag(liability_amount, 1, 0) over account_to_date') }} as amount,
    from {{ ref('fct_credit_liability') }}
    window account_to_date as (partition by customer_id, credit_kind, cost_basis, currency order by period)

),

{%- set nobody = 'cast(null as string)' %}
{%- set subledgers = [
    ('accounts_receivable', 'customer_id', year_month('valid_from'), 'change_amount', ref('fct_receivable_balances'), none),
    ('unbilled_receivable', 'customer_id', 'period', 'closing_amount - opening_amount', ref('fct_unbilled_receivable'), none),
    ('deferred_revenue', 'customer_id', 'booked_period', '-recognised_amount - voided_amount', ref('fct_deferred_revenue'), none),
    ('deferred_revenue', 'customer_id', 'recognised_period', 'recognised_amount + voided_amount - owed_amount', ref('fct_deferred_revenue'), none),
    ('credit_liability', 'customer_id', 'period', '-amount', 'credit_liabilities', none),
    ('taxes_payable', 'customer_id', year_month('invoice_date'), '-tax_amount', 'invoices', none),
    ('taxes_payable', 'customer_id', year_month('void_date'), 'tax_amount', 'invoices', "status = 'void'"),
    ('taxes_payable', 'customer_id', year_month(date_of('created_at')), 'tax_amount', 'credit_note_taxes', none),
    ('taxes_payable', 'customer_id', year_month(date_of('voided_at')), '-tax_amount', 'credit_note_taxes', 'voided_at is not null'),
    ('stripe_clearing', nobody, 'period', 'closing_amount - opening_amount', ref('fct_balance_monthly'), none),
    ('cash', nobody, year_month('booked_on'), 'amount', ref('fct_bank_lines'), 'amount > 0'),
] %}
{%- set control_accounts = subledgers | map(attribute=0) | unique | list %}

journal_movements as (

    select
        account_id,
        case when account_id in ('stripe_clearing', 'cash') then {{ nobody }} else customer_id end as customer_id,
        currency,
        period,
        amount,
    from {{ ref('int_journal__entries') }}
    where account_id in ('{{ control_accounts | join("', '") }}')

),

subledger_movements as (

    {% for account, customer, period, amount, source, condition in subledgers -%}
    select
        '{{ account }}' as account_id,
        {{ customer }} as customer_id,
        currency,
        {{ period }} as period,
        {{ amount }} as amount,
    from {{ source }}
    {{ 'where ' ~ condition if condition }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

{% for side, movements in [('left_side', 'journal_movements'), ('right_side', 'subledger_movements')] -%}
{{ side }} as (

    select
        concat(moved.account_id, '/', coalesce(moved.customer_id, ''), '/', moved.currency, '/', moved.period) as ref,
        moved.customer_id,
        moved.period,
        moved.currency,
        {{ sum_decimal('moved.amount') }} as amount,
        moved.account_id,
    from {{ movements }} as moved
    group by moved.account_id, moved.customer_id, moved.currency, moved.period
    having sum(moved.amount) <> 0

),

{% endfor -%}
{{ reconcile(
    comparison='recognised__journal_vs_subledgers',
    passes=[
        {'rule': 'account_customer_month', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'control_account_differs', 'when': 'm.is_different'},
    ],
    evidence={
        'account_id': 'coalesce(l.account_id, r.account_id)',
        'period': 'coalesce(l.period, r.period)',
    },
    upstream={'invoiced__orb_parts_vs_totals': 1},
) }}
