{#- a day on which a break is seen is a version of it, so that the register can say to the day until when a break was there -#}
select
    matches.break_id,
    {{ json_object({
        'comparison': 'matches.comparison',
        'hop': 'matches.hop',
        'match_key': 'matches.match_key',
        'customer_id': 'matches.customer_id',
        'period': 'matches.period',
        'currency': 'matches.currency',
        'right_currency': 'matches.right_currency',
        'left_ref': 'matches.left_ref',
        'left_amount': all_decimals_text('matches.left_amount'),
        'right_ref': 'matches.right_ref',
        'right_amount': all_decimals_text('matches.right_amount'),
        'difference': all_decimals_text('matches.difference'),
        'match_rule': 'matches.match_rule',
        'status': 'matches.status',
        'cause': 'matches.cause',
        'tolerance': all_decimals_text('matches.tolerance'),
        'evidence': 'matches.evidence',
        'rule_version': 'matches.rule_version',
        'seen_on': iso_date(date_of('known.known_at')),
    }) }} as sighting,
    known.known_at as seen_at,
from {{ ref('rec_matches') }} as matches
cross join {{ ref('int_core__known_at') }} as known
where matches.status in ('timing', 'break')
