{{ config(materialized='view') }}

with sightings as (

    select
        *,
        lag(is_gone) over (partition by break_id order by seen_at, read_at) as was_gone,
        row_number() over (partition by break_id order by seen_at, read_at) = 1 as is_first,
        row_number() over (partition by break_id order by seen_at desc, read_at desc) = 1 as is_newest,
    from {{ ref('stg_tieout__break_sightings') }}

),

spans as (

    select
        break_id,
        max(case when is_first then difference end) as first_difference,
        {{ sum_integer('case when was_gone and not is_gone then 1 else 0 end') }} as times_reopened,
        max(case when is_newest then is_gone end) as is_gone,
        min(seen_at) as first_seen_at,
        max(case when not is_gone then seen_at end) as last_seen_at,
        max(case when was_gone and not is_gone then seen_at end) as reopened_at,
        max(case when is_newest and is_gone then seen_at end) as gone_at,
    from sightings
    group by break_id

),

newest_account as (

    -- what was said of it last: a sighting that it is gone says nothing else
    select *
    from sightings
    where not is_gone
    qualify row_number() over (partition by break_id order by seen_at desc, read_at desc) = 1

)

select
    account.break_id,
    account.comparison,
    account.hop,
    account.match_key,
    account.customer_id,
    account.left_ref,
    account.right_ref,
    account.period,
    account.currency,
    account.right_currency,
    account.match_rule,
    account.status,
    account.cause,
    account.evidence,
    account.rule_version,
    account.left_amount,
    account.right_amount,
    account.difference,
    account.tolerance,
    spans.first_difference,
    spans.times_reopened,
    spans.is_gone,
    cast(spans.first_seen_at as timestamp) as first_seen_at,
    cast(spans.last_seen_at as timestamp) as last_seen_at,
    cast(spans.reopened_at as timestamp) as reopened_at,
    cast(spans.gone_at as timestamp) as gone_at,
from newest_account as account
inner join spans on account.break_id = spans.break_id
