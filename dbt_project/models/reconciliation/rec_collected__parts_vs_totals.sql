{#- left: what else Stripe says of a payment, right: what the payment says itself -#}
with charges as (

    select * from {{ ref('stg_stripe__charges') }}
    where is_livemode and not is_deleted and status = 'succeeded'

),

intents as (

    select * from {{ ref('stg_stripe__payment_intents') }}
    where is_livemode and not is_deleted

),

refunds_of_charges as (

    select
        charge_id,
        {{ sum_decimal('amount') }} as amount,
        {{ sum_decimal("case when status = 'succeeded' then amount else 0 end") }} as succeeded_amount,
    from {{ ref('stg_stripe__refunds') }}
    where status not in ('failed', 'canceled') and not is_deleted
    group by charge_id

),

disputes as (

    select * from {{ ref('stg_stripe__disputes') }}
    where is_livemode and not is_deleted

),

stripe_clock as (

    -- Stripe's own: by ours, a feed that stands still would make every dispute overdue
    select max(created_at) as now from charges

),

captured_for_intents as (

    select
        payment_intent_id,
        currency,
        {{ sum_decimal('amount_captured') }} as amount,
    from charges
    group by payment_intent_id, currency

),

last_invoices as (

    select
        customer_id,
        ending_balance_amount,
    from {{ ref('stg_stripe__invoices') }}
    where is_livemode and not is_deleted and ending_balance_amount is not null
    qualify row_number() over (partition by customer_id order by finalized_at desc, invoice_id desc) = 1

),

disputed_charges as (

    select distinct charge_id from disputes

),

booked as (

    select
        source_id,
        currency,
        {{ sum_decimal('gross_amount') }} as gross_amount,
        {{ sum_decimal('fee_amount') }} as fee_amount,
        {{ sum_decimal('net_amount') }} as net_amount,
    from {{ ref('fct_balance_transactions') }}
    group by source_id, currency

),

figures as (

    select
        charges.charge_id as ref,
        charges.charge_id,
        'charge' as document,
        charges.currency,
        coalesce(intents.currency, charges.currency) as parts_currency,
        charges.created_at,
        case
            when not charges.is_paid then 'paid'
            when charges.payment_intent_id is not null and intents.payment_intent_id is null then 'payment_intent'
            when charges.is_captured <> (charges.amount_captured <> 0) then 'captured'
            when charges.is_refunded <> (charges.amount_refunded = charges.amount) then 'refunded'
            when charges.is_disputed <> (disputed_charges.charge_id is not null) then 'disputed'
            when charges.customer_id <> intents.customer_id then 'customer'
            when intents.status <> 'succeeded' and charges.amount_captured <> 0 then 'status'
            when charges.charge_id <> intents.latest_charge_id then 'latest_charge'
            when
                abs({{ date_difference('day', date_of('intents.created_at'), date_of('charges.created_at')) }}) > 30
                then 'payment_intent'
        end as out_of_step,
        {{ stated_figures([
            (
                'amount_refunded',
                'case when charges.amount_refunded = refunds.succeeded_amount then refunds.succeeded_amount else coalesce(refunds.amount, 0) end',
                'charges.amount_refunded',
            ),
            ('amount', 'case when intents.currency = charges.currency then intents.amount end', 'charges.amount'),
        ]) }}
    from charges
    left join intents on charges.payment_intent_id = intents.payment_intent_id
    left join refunds_of_charges as refunds on charges.charge_id = refunds.charge_id
    left join disputed_charges on charges.charge_id = disputed_charges.charge_id
    union all
    -- of an invoice's refund its credit note says whether it came
    select
        refunds.refund_id as ref,
        refunds.payment_id as charge_id,
        'refund' as document,
        refunds.currency,
        refunds.currency as parts_currency,
        cast(refunds.created_at as {{ timestamp_type() }}) as created_at,
        case
            when
                refunds.status = 'pending'
                and {{ date_difference('day', date_of('refunds.created_at'), date_of('stripe_clock.now')) }} > 10
                then 'status'
        end as out_of_step,
        {{ stated_figures([('amount', 'refunds.amount', 'refunds.amount')]) }}
    from {{ ref('fct_refunds') }} as refunds
    cross join stripe_clock
    where refunds.purpose <> 'invoice'
    union all
    select
        customers.customer_id as ref,
        cast(null as string) as charge_id,
        'customer' as document,
        customers.currency,
        customers.currency as parts_currency,
        customers.created_at,
        cast(null as string) as out_of_step,
        {{ stated_figures([('balance', 'coalesce(last_invoices.ending_balance_amount, 0)', 'customers.balance_amount')]) }}
    from {{ ref('stg_stripe__customers') }} as customers
    left join last_invoices on customers.customer_id = last_invoices.customer_id
    where customers.is_livemode and not customers.is_deleted and customers.currency is not null
    union all
    select
        intents.payment_intent_id as ref,
        intents.latest_charge_id as charge_id,
        'payment intent' as document,
        intents.currency,
        captured.currency as parts_currency,
        intents.created_at,
        cast(null as string) as out_of_step,
        {{ stated_figures([
            ('amount_capturable', "case when intents.status = 'succeeded' then 0 end", 'intents.amount_capturable'),
            ('amount_received', "case when intents.status = 'succeeded' then captured.amount end", 'intents.amount_received'),
        ]) }}
    from intents
    inner join captured_for_intents as captured on intents.payment_intent_id = captured.payment_intent_id
    union all
    select
        dispute_id as ref,
        charge_id,
        'dispute' as document,
        disputes.settlement_currency as currency,
        booked.currency as parts_currency,
        disputes.created_at,
        case
            when disputes.status in ('needs_response', 'warning_needs_response') and disputes.evidence_due_at < stripe_clock.now then 'status'
        end as out_of_step,
        {{ stated_figures([
            ('gross', 'booked.gross_amount', 'disputes.booked_gross_amount'),
            ('fee', 'booked.fee_amount', 'disputes.booked_fee_amount'),
            ('net', 'booked.net_amount', 'disputes.booked_net_amount'),
        ]) }}
    from disputes
    inner join booked on disputes.dispute_id = booked.source_id
    cross join stripe_clock
    union all
    select
        payments.invoice_payment_id as ref,
        coalesce(payments.charge_id, intents.latest_charge_id) as charge_id,
        'invoice payment' as document,
        payments.currency,
        payments.currency as parts_currency,
        payments.created_at,
        case
            when abs({{ date_difference('day', date_of('intents.created_at'), date_of('payments.created_at')) }}) > 30 then 'created'
        end as out_of_step,
        {{ stated_figures([('amount_requested', 'payments.amount_paid', 'payments.amount_requested')]) }}
    from {{ ref('stg_stripe__invoice_payments') }} as payments
    left join intents on payments.payment_intent_id = intents.payment_intent_id
    where payments.status = 'paid' and payments.is_livemode and not payments.is_deleted

),

{% for side, amount, currency in [('left_side', 'parts_amount', 'figures.parts_currency as currency'), ('right_side', 'stated_amount', 'figures.currency')] -%}
{{ side }} as (

    select
        figures.ref,
        payments.customer_id,
        {{ year_month(date_of('figures.created_at')) }} as period,
        {{ currency }},
        figures.{{ amount }} as amount,
        figures.document,
        figures.figure,
        figures.out_of_step,
    from figures
    left join {{ ref('fct_payments') }} as payments on figures.charge_id = payments.payment_id

),

{% endfor -%}
{{ reconcile(
    comparison='collected__parts_vs_totals',
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
    upstream={
        'collected__payments_vs_charges': 1,
        'collected__movements_vs_balance_transactions': -1,
        'collected__invoices_vs_payments': -1,
        'credits__topups_vs_grants': -1,
    },
) }}
