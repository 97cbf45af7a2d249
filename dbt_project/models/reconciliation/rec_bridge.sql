with legs as (

    -- where the two sides name two currencies, each amount belongs into the bridge of its own
    select
        comparison,
        hop,
        period,
        currency,
        status,
        cause,
        left_amount,
        case when currency = right_currency then right_amount else {{ decimal_literal('0') }} end as right_amount,
    from {{ ref('rec_matches') }}
    union all
    select
        comparison,
        hop,
        period,
        right_currency as currency,
        status,
        cause,
        {{ decimal_literal('0') }} as left_amount,
        right_amount,
    from {{ ref('rec_matches') }}
    where currency <> right_currency

),

causes as (

    select
        comparison,
        hop,
        period,
        currency,
        cause,
        left_amount,
        right_amount,
    from legs
    where status = 'break' and cause <> 'unexplained'
    union all
    -- the consequence of a break in another comparison; what is unexplained is so there, once
    select
        comparison,
        hop,
        period,
        currency,
        case when cause = 'unexplained' then 'unexplained_upstream' else cause end as cause,
        left_amount,
        right_amount,
    from legs
    where status = 'matched' and cause is not null and left_amount <> right_amount

),

totals as (

    select
        comparison,
        hop,
        period,
        currency,
        {{ sum_decimal('left_amount') }} as left_total,
        {{ sum_decimal('right_amount') }} as right_total,
        {{ sum_decimal("case when status = 'timing' then right_amount - left_amount else 0 end") }} as timing,
        {{ sum_decimal("case when status = 'break' and cause = 'unexplained' then right_amount - left_amount else 0 end") }} as unexplained,
        {{ sum_decimal("case when status = 'matched' and cause is null then right_amount - left_amount else 0 end") }} as within_tolerance,
    from legs
    group by comparison, hop, period, currency

),

lines as (

    {% for place, line in [(1, 'left_total'), (3, 'within_tolerance'), (4, 'timing'), (5, 'unexplained'), (6, 'right_total')] -%}
    select
        comparison,
        hop,
        period,
        currency,
        {{ place }} as place,
        '{{ line }}' as line,
        {{ line }} as amount,
    from totals
    {% if line == 'within_tolerance' %}where within_tolerance <> 0{% endif %}
    union all
    {% endfor -%}
    select
        comparison,
        hop,
        period,
        currency,
        2 as place,
        cause as line,
        {{ sum_decimal('right_amount - left_amount') }} as amount,
    from causes
    group by comparison, hop, period, currency, cause

)

select
    comparison,
    hop,
    period,
    currency,
    {{ to_integer('row_number() over (partition by comparison, period, currency order by place, line)') }} as line_no,
    line,
    {{ to_decimal('amount') }} as amount,
from lines
