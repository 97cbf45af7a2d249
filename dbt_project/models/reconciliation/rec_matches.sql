{{ config(materialized='view') }}

select
    match_groups.comparison,
    match_groups.hop,
    match_groups.break_id,
    match_groups.match_key,
    match_groups.customer_id,
    match_groups.period,
    match_groups.currency,
    match_groups.right_currency,
    match_groups.left_ref,
    match_groups.left_amount,
    match_groups.right_ref,
    match_groups.right_amount,
    match_groups.difference,
    match_groups.match_rule,
    case when consequences.break_id is null then match_groups.status else 'matched' end as status,
    coalesce(consequences.root_cause, match_groups.cause) as cause,
    match_groups.tolerance,
    match_groups.evidence,
    match_groups.rule_version,
from {{ ref('rec_match_groups') }} as match_groups
left join {{ ref('rec_consequences') }} as consequences on match_groups.break_id = consequences.break_id
