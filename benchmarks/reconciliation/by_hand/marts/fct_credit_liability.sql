with movements as (
    select
        customer_id,
        case when cost_basis > 0 then 'paid' else 'promotional' end as credit_kind,
        cost_basis,
        currency,
        date_trunc('month', entry_date)::date as month_start,
        case
            when entry_type = 'increment' and cost_basis > 0 then 'sold'
            when entry_type = 'increment' then 'granted'
            when entry_type = 'credit_block_expiry' then 'expired'
            when entry_type = 'void' and credit_block_id in (from refunded_blocks()) then 'refunded'
            when entry_type = 'void' then 'voided'
            else 'used'
        end as movement_kind,
        amount,
    from credit_entries()
),

by_month as materialized (
    pivot movements
    on movement_kind in ('sold', 'granted', 'used', 'expired', 'voided', 'refunded')
    using coalesce(sum(amount), 0)::decimal(38, 9)
    group by customer_id, credit_kind, cost_basis, currency, month_start
),

months as (
    select
        customer_id,
        credit_kind,
        cost_basis,
        currency,
        unnest(generate_series(min(month_start), greatest(max(month_start), known_on()), interval 1 month))::date as month_start,
    from by_month
    group by customer_id, credit_kind, cost_basis, currency
),

rolled as (
    select
        customer_id,
        credit_kind,
        cost_basis,
        currency,
        month_start,
        coalesce(sold, 0) as sold_credits,
        coalesce(granted, 0) as granted_credits,
        -coalesce(used, 0) as used_credits,
        -coalesce(expired, 0) as expired_credits,
        -coalesce(voided, 0) as voided_credits,
        -coalesce(refunded, 0) as refunded_credits,
        sold_credits + granted_credits - used_credits - expired_credits - voided_credits - refunded_credits as movement,
        (sum(movement) over account_to_date)::decimal(38, 9) as closing_credits,
        closing_credits - movement as opening_credits,
    from months
    left join by_month using (customer_id, credit_kind, cost_basis, currency, month_start)
    window account_to_date as (partition by customer_id, credit_kind, cost_basis, currency order by month_start)
)

select
    key([customer_id, credit_kind, rtrim(rtrim(cost_basis::varchar, '0'), '.'), currency, month_of(month_start)]) as credit_liability_id,
    customer_id,
    credit_kind,
    currency,
    month_of(month_start) as period,
    cost_basis,
    opening_credits,
    sold_credits,
    granted_credits,
    used_credits,
    expired_credits,
    voided_credits,
    refunded_credits,
    closing_credits,
    (opening_credits * cost_basis)::decimal(38, 9) as opening_amount,
    (sold_credits * cost_basis)::decimal(38, 9) as sold_amount,
    (granted_credits * cost_basis)::decimal(38, 9) as granted_amount,
    (used_credits * cost_basis)::decimal(38, 9) as used_amount,
    (expired_credits * cost_basis)::decimal(38, 9) as expired_amount,
    (voided_credits * cost_basis)::decimal(38, 9) as voided_amount,
    (refunded_credits * cost_basis)::decimal(38, 9) as refunded_amount,
    (closing_credits * cost_basis)::decimal(38, 9) as closing_amount,
    0::decimal(38, 9) as early_breakage_amount,
    closing_amount as liability_amount,
from rolled
where
    opening_credits <> 0
    or closing_credits <> 0
    or sold_credits <> 0
    or granted_credits <> 0
    or used_credits <> 0
    or expired_credits <> 0
    or voided_credits <> 0
    or refunded_credits <> 0
