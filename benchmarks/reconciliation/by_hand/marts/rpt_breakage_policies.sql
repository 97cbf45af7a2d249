with entries as materialized (
    select * from credit_entries() where cost_basis > 0
),

-- Days of a customer without a purchase or a use, from the 180th on.
quiet as materialized (
    select customer_id, currency, entry_date + 180 as starts_on, next_date as ends_on
    from (
        select
            customer_id,
            currency,
            entry_date,
            lead(entry_date) over (partition by customer_id, currency order by entry_date) as next_date,
        from entries
        where entry_type in ('increment', 'decrement')
        group by customer_id, currency, entry_date
    )
    where starts_on < coalesce(ends_on, (
        select max(created_at)::date + 1 from objects('raw_orb.credit_ledger', '{"created_at": "timestamp"}')
    ))
),

blocks as (
    select customer_id, currency, credit_block_id, min(entry_date) as first_date from entries group by all
),

changes as (
    select
        customer_id,
        currency,
        credit_block_id,
        entry_date as change_date,
        paid_amount as amount,
        case when entry_type in ('increment', 'void') then paid_amount else 0 end as bought,
        case when entry_type in ('decrement', 'amendment') then -paid_amount else 0 end as used,
        case when entry_type = 'credit_block_expiry' then -paid_amount else 0 end as expired,
    from entries
    union all
    select customer_id, currency, credit_block_id, change_date, 0, 0, 0, 0
    from blocks
    inner join (select customer_id, currency, unnest([starts_on, ends_on]) as change_date from quiet) using (customer_id, currency)
    where change_date > first_date
),

to_date as (
    select
        customer_id,
        currency,
        credit_block_id,
        change_date,
        sum(amount) as amount,
        sum(sum(amount)) over block as balance,
        sum(sum(bought)) over block as bought,
        sum(sum(used)) over block as used,
        sum(sum(expired)) over block as expired,
    from changes
    group by customer_id, currency, credit_block_id, change_date
    window block as (partition by credit_block_id order by change_date)
),

ahead as (
    unpivot (
        select
            to_date.*,
            balance > 0 and bought > 0 as is_open,
            0::decimal(38, 9) as on_expiry,
            case
                when is_open then to_minor_unit(
                    least(
                        balance::decimal(38, 9),
                        (bought * 0.05)::decimal(38, 9),
                        quotient((greatest(used, 0) * 0.05)::decimal(38, 9), 0.95::decimal(38, 9))
                    ),
                    to_date.currency
                )
                else 0
            end as proportional,
            case when is_open and quiet.starts_on is not null then balance else 0 end::decimal(38, 9) as remote,
        from to_date
        left join quiet
            on
                to_date.customer_id = quiet.customer_id
                and to_date.currency = quiet.currency
                and to_date.change_date >= quiet.starts_on
                and to_date.change_date < coalesce(quiet.ends_on, date '9999-12-31')
    )
    on on_expiry, proportional, remote
    into name breakage_policy value ahead
),

recognised as (
    select
        breakage_policy,
        customer_id,
        currency,
        date_trunc('month', change_date)::date as month_start,
        amount - ahead + lag(ahead, 1, 0) over block as liability_change,
        expired + ahead - lag(expired + ahead, 1, 0) over block as recognised_amount,
    from ahead
    window block as (partition by breakage_policy, credit_block_id order by change_date)
),

by_month as materialized (
    select
        breakage_policy,
        customer_id,
        currency,
        month_start,
        sum(liability_change) as liability_change,
        sum(recognised_amount)::decimal(38, 9) as recognised_amount,
    from recognised
    group by all
),

months as (
    select
        breakage_policy,
        customer_id,
        currency,
        unnest(generate_series(min(month_start), greatest(max(month_start), known_on()), interval 1 month))::date as month_start,
    from by_month
    group by breakage_policy, customer_id, currency
)

select
    key([breakage_policy, customer_id, currency, month_of(month_start)]) as breakage_policy_month_id,
    customer_id,
    breakage_policy,
    currency,
    month_of(month_start) as period,
    coalesce(recognised_amount, 0) as recognised_amount,
    coalesce(sum(recognised_amount) over account, 0)::decimal(38, 9) as recognised_to_date_amount,
    coalesce(sum(liability_change) over account, 0)::decimal(38, 9) as liability_amount,
    breakage_policy = 'on_expiry' as is_booked,
from months
left join by_month using (breakage_policy, customer_id, currency, month_start)
window account as (partition by breakage_policy, customer_id, currency order by month_start)
