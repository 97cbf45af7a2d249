with known as (

    select known_at from {{ ref('int_core__known_at') }}

),

open_breaks as (

    select * from {{ ref('rec_matches') }}
    where status in ('timing', 'break')

),

history as (

    select * from {{ ref('rec_break_history') }}

),

{% set account = [
    'comparison', 'hop', 'match_key', 'customer_id', 'left_ref', 'right_ref', 'period', 'currency', 'right_currency', 'match_rule',
    'status', 'cause', 'evidence', 'rule_version', 'left_amount', 'right_amount', 'difference', 'tolerance',
] -%}

accounts as (

    -- a break that is there is told as it is now, one that is gone as it was last
    select
        coalesce(open_breaks.break_id, history.break_id) as break_id,
        {% for column in account -%}
        case when open_breaks.break_id is not null then open_breaks.{{ column }} else history.{{ column }} end as {{ column }},
        {% endfor -%}
        coalesce(history.first_difference, open_breaks.difference) as first_difference,
        coalesce(history.times_reopened, 0)
        + case when history.is_gone and open_breaks.break_id is not null then 1 else 0 end as times_reopened,
        open_breaks.break_id is not null as is_open,
        coalesce(history.first_seen_at, known.known_at) as first_seen_at,
        case when open_breaks.break_id is not null then known.known_at else history.last_seen_at end as last_seen_at,
        case
            when open_breaks.break_id is null then coalesce(history.gone_at, known.known_at)
        end as resolved_at,
        case when history.is_gone and open_breaks.break_id is not null then known.known_at else history.reopened_at end as reopened_at,
        known.known_at,
    from open_breaks
    full outer join history on open_breaks.break_id = history.break_id
    cross join known

),

exceptions as (

    -- an exception that has expired is none: its break is back
    select
        exceptions.break_id,
        exceptions.owner,
        exceptions.resolution,
        exceptions.reason,
        exceptions.expires_on,
    from {{ ref('known_exceptions') }} as exceptions
    cross join known
    where exceptions.expires_on > {{ date_of('known.known_at') }}

),

aged as (

    select
        accounts.*,
        {{ date_difference('day', date_of('accounts.first_seen_at'), date_of('coalesce(accounts.resolved_at, accounts.known_at)')) }} as age_days,
    from accounts

)

select
    aged.break_id,
    aged.comparison,
    aged.hop,
    aged.match_key,
    aged.customer_id,
    aged.left_ref,
    aged.right_ref,
    case
        when not aged.is_open then 'resolved'
        when exceptions.break_id is not null then 'accepted'
        else 'open'
    end as state,
    aged.status,
    aged.cause,
    aged.match_rule,
    aged.period,
    aged.currency,
    aged.right_currency,
    exceptions.owner,
    exceptions.resolution,
    exceptions.reason as resolution_reason,
    exceptions.expires_on as resolution_expires_on,
    {{ to_integer('aged.age_days') }} as age_days,
    case
        when aged.age_days <= 1 then '0-1'
        when aged.age_days <= 7 then '2-7'
        when aged.age_days <= 30 then '8-30'
        when aged.age_days <= 90 then '31-90'
        else '91+'
    end as age_bucket,
    {{ to_integer('aged.times_reopened') }} as times_reopened,
    aged.evidence,
    left_evidence.batch_id as left_batch_id,
    left_evidence.payload_hash as left_payload_hash,
    right_evidence.batch_id as right_batch_id,
    right_evidence.payload_hash as right_payload_hash,
    aged.rule_version,
    {{ to_decimal('aged.left_amount') }} as left_amount,
    {{ to_decimal('aged.right_amount') }} as right_amount,
    {{ to_decimal('aged.difference') }} as difference,
    {{ to_decimal('aged.first_difference') }} as first_difference,
    {{ to_decimal('aged.tolerance') }} as tolerance,
    aged.is_open,
    cast(aged.first_seen_at as timestamp) as first_seen_at,
    cast(aged.last_seen_at as timestamp) as last_seen_at,
    cast(aged.reopened_at as timestamp) as reopened_at,
    cast(aged.resolved_at as timestamp) as resolved_at,
from aged
left join exceptions on aged.break_id = exceptions.break_id
left join {{ ref('rec_evidence') }} as left_evidence on aged.left_ref = left_evidence.object_id
left join {{ ref('rec_evidence') }} as right_evidence on aged.right_ref = right_evidence.object_id
