{#- left: what the ledger says of a block or a void, right: what it states itself -#}
with ledger as (

    select * from {{ ref('stg_orb__credit_ledger') }}
    where not is_deleted

),

grants as (

    select
        credit_block_id,
        min(external_customer_id) as customer_id,
        min(currency) as currency,
        min(payment_intent_id) as payment_intent_id,
        min(created_at) as granted_at,
        {{ sum_decimal('amount') }} as amount,
    from ledger
    where entry_type = 'increment'
    group by credit_block_id

),

settled_by_balance as (

    select distinct customer_id
    from {{ ref('stg_orb__invoices') }}
    where is_settled_by_balance and not is_deleted

),

wrong_grants as (

    -- what was granted for the money is compared with the money, and named there
    select distinct movements.credit_block_id
    from {{ ref('rec_credits__topups_vs_grants') }} as named
    inner join {{ ref('int_credits__ledger_movements') }} as movements on named.right_ref = movements.ledger_entry_id
    where named.status <> 'matched'

),

figures as (

    select
        blocks.credit_block_id as ref,
        grants.customer_id,
        grants.currency,
        grants.granted_at as created_at,
        'credit block' as document,
        case
            when blocks.status = 'pending_payment' then 'status'
            when blocks.payment_intent_id <> grants.payment_intent_id then 'payment_intent'
            when abs({{ date_difference('day', date_of('blocks.effective_at'), date_of('grants.granted_at')) }}) > 1 then 'effective_date'
        end as out_of_step,
        {{ stated_figures([
            ('initial_balance', 'case when wrong_grants.credit_block_id is null then grants.amount end', 'blocks.maximum_initial_balance'),
        ]) }}
    from {{ ref('stg_orb__credit_blocks') }} as blocks
    inner join grants on blocks.credit_block_id = grants.credit_block_id
    left join wrong_grants on blocks.credit_block_id = wrong_grants.credit_block_id
    where not blocks.is_deleted
    union all
    select
        ledger_entry_id as ref,
        external_customer_id as customer_id,
        currency,
        created_at,
        'void' as document,
        cast(null as string) as out_of_step,
        {{ stated_figures([('void_amount', '-amount', 'void_amount')]) }}
    from ledger
    where entry_type = 'void'
    union all
    -- what an invoice took from a balance, or put on it, says nothing of the rest
    select
        customers.customer_id as ref,
        customers.external_customer_id as customer_id,
        customers.currency,
        customers.created_at,
        'customer' as document,
        cast(null as string) as out_of_step,
        {{ stated_figures([('balance', 'case when settled.customer_id is null then 0 end', 'customers.balance_amount')]) }}
    from {{ ref('stg_orb__customers') }} as customers
    left join settled_by_balance as settled on customers.customer_id = settled.customer_id
    where not customers.is_deleted and customers.currency is not null

),

{% for side, amount in [('left_side', 'parts_amount'), ('right_side', 'stated_amount')] -%}
{{ side }} as (

    select
        ref,
        customer_id,
        {{ year_month(date_of('created_at')) }} as period,
        currency,
        {{ amount }} as amount,
        document,
        figure,
        out_of_step,
    from figures

),

{% endfor -%}
{{ reconcile(
    comparison='credits__parts_vs_totals',
    passes=[
        {'rule': 'object', 'on': 'r.ref = l.ref'},
    ],
    causes=[
        {'cause': 'unexplained', 'when': 'm.is_different or l.out_of_step is not null'},
    ],
    evidence={
        'document': 'l.document',
        'figure': 'case when m.is_different then l.figure else l.out_of_step end',
    },
    upstream={'credits__movements_vs_balances': 1},
) }}
