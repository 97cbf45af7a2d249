{#-
  One comparison. The model names its two sides as the CTEs left_side and right_side, one row per ref:

      ref, customer_id, period, currency, amount   and whatever the passes, causes and evidence read

  and then calls reconcile, which continues that WITH clause and ends it. Arguments, all of them data:

  comparison  the model's name without rec_; its row in reconciliation_tolerances gives tolerance and window_days
  passes      what belongs together, strongest first; each pass sees only what the ones before it left over
                rule    its name, which ends up in match_rule
                on      what both have in common: l.x = r.y, joined by and; of the first pass columns alone, and no `within`
                within  further condition on l, r and settings.window_days
                nearest expression by which the best of several candidates is chosen; both sides must choose each other
                kind    one_to_one (default)
                        many_to_one: `on` pairs one r with the sum of two or three l that follow one another in `order`
                                     among the unmatched of one `within_same`; taken only when nothing else would fit;
                                     `within` sees the first as l, and the last one's `order` as l.run_end
                        one_to_many: the mirror, one l and two or three r
                        repeated:    an r that is left over and points at an l that is taken: the l's second claim
  causes      why a match group does not tie, first that holds: cause, when, status (default break). Conditions see
                m (left_ref, right_ref, match_rule, difference, is_different), l, r (null on the missing side), settings
  evidence    {name: text expression on m, l and r}: what the verdict was reached from, kept beside it as JSON; a pair of the first
                pass that ties needs none
  upstream    {comparison: 1 or -1}: a difference that a break of one of these comparisons explains, because customer, currency and
                amount (-1: the opposite amount) are the same, is its consequence: matched, under the cause of that break

  What differs by more than the tolerance and no rule explains is the cause `unexplained`. What passes within the tolerance is
  added up per period and currency: beyond the comparison's budget none of it passes.
-#}
{% macro reconcile(comparison, passes, causes, evidence, upstream={}) -%}
settings as (

    -- an aggregate: without a row in the seed the tolerance is zero, instead of the comparison being empty
    select
        coalesce(max(case when expires_on > {{ date_of(as_of()) }} then tolerance end), {{ decimal_literal('0') }}) as tolerance,
        coalesce(max(case when expires_on > {{ date_of(as_of()) }} then budget end), {{ decimal_literal('0') }}) as budget,
        coalesce(max(window_days), 0) as window_days,
    from {{ ref('reconciliation_tolerances') }}
    where comparison = '{{ comparison }}'

),

{% set strongest = passes[0] -%}
{%- set key = {'l': [], 'r': []} -%}
{%- for operand in strongest.on.replace(' and ', ' = ').split(' = ') -%}
{%- do key[operand[0]].append(operand) -%}
{%- endfor -%}
{#- a side whose ref is in the condition has each key once -#}
{%- set repeated = {} -%}
{%- for side, relation in [('l', 'left_side'), ('r', 'right_side')] if side ~ '.ref' not in key[side] -%}
{%- do repeated.update({'repeated_' ~ side: side}) -%}
repeated_{{ side }} as (

    select
        {% for column in key[side] -%}
        {{ column }} as key_{{ loop.index }},
        {% endfor -%}
    from {{ relation }} as {{ side }}
    group by {{ key[side] | join(', ') }}
    having count(*) > 1

),

{% endfor -%}
paired as (

    -- most pairs share their id with nobody else and tie: they are done, and the passes have only the rest to go through;
    -- l and r are whole rows, so that conditions further down can read any column of either side
    select
        l,
        r,
        coalesce(
            l.amount = r.amount
            and l.currency = r.currency
            {%- for name in repeated %}
            and {{ name }}.key_1 is null
            {%- endfor %},
            false
        ) as is_tied,
    from left_side as l
    full outer join right_side as r on {{ strongest.on }}
    {% for name, side in repeated.items() -%}
    left join {{ name }} on {% for column in key[side] %}{{ column }} = {{ name }}.key_{{ loop.index }}{{ ' and ' if not loop.last }}{% endfor %}
    {% endfor %}
),

nobody as (select l as no_l, r as no_r from paired where false),

left_after_0 as (

    select l.*
    from paired
    where not is_tied and l.ref is not null
    qualify row_number() over (partition by l.ref order by r.ref) = 1

),

right_after_0 as (

    select r.*
    from paired
    where not is_tied and r.ref is not null
    qualify row_number() over (partition by r.ref order by l.ref) = 1

),

{% for pass in passes -%}
{% set before, after = loop.index0, loop.index -%}
{% set kind = pass.kind | default('one_to_one') -%}
{% if kind in ['many_to_one', 'one_to_many'] -%}
{% set many, one = ('left', 'right') if kind == 'many_to_one' else ('right', 'left') -%}
{% set m, o = many[0], one[0] -%}
runs_{{ after }} as (

    {% for size in [2, 3] -%}
    select
        {{ m }}.*,
        {{ size }} as run_size,
        {% for step in range(1, size) -%}
        lead({{ m }}.ref, {{ step }}) over run as ref_{{ step }},
        {% endfor -%}
        {% if size == 2 %}cast(null as string) as ref_2,{% endif %}
        lead({{ m }}.{{ pass.order }}, {{ size - 1 }}) over run as run_end,
        {{ m }}.amount{% for step in range(1, size) %} + lead({{ m }}.amount, {{ step }}) over run{% endfor %} as run_amount,
    from {{ many }}_after_{{ before }} as {{ m }}
    window run as (partition by {{ m }}.{{ pass.within_same }} order by {{ m }}.{{ pass.order }}, {{ m }}.ref)
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

run_candidates_{{ after }} as (

    select
        {{ m }}.*,
        {{ o }}.ref as one_ref,
        {{ o }}.customer_id as one_customer_id,
        {{ o }}.currency as one_currency,
        {{ o }}.period as one_period,
    from runs_{{ after }} as {{ m }}
    cross join settings
    inner join {{ one }}_after_{{ before }} as {{ o }} on {{ pass.on }} and {{ m }}.run_amount = {{ o }}.amount
    where {{ m }}.run_amount is not null and {{ pass.within }}

),

run_members_{{ after }} as (

    {% for member in ['ref', 'ref_1', 'ref_2'] -%}
    select one_ref, ref as run_ref, run_size, {{ member }} as many_ref from run_candidates_{{ after }} where {{ member }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

run_counts_{{ after }} as (

    -- how many of the ones want this member, and how many runs would fit this one
    select
        *,
        count(*) over (partition by many_ref) as claims_on_member,
        count(*) over (partition by one_ref) as members_of_one,
    from run_members_{{ after }}

),

run_members_taken_{{ after }} as (

    select
        *,
        max(claims_on_member) over (partition by one_ref) as most_claims,
    from run_counts_{{ after }}

),

pass_{{ after }} as (

    select
        '{{ pass.rule }}' as match_rule,
        c.one_ref as match_key,
        {% set run -%}
        concat(c.ref, ',', c.ref_1, case when c.ref_2 is null then '' else concat(',', c.ref_2) end)
        {%- endset -%}
        {{ run if many == 'left' else 'c.one_ref' }} as left_ref,
        {{ run if many == 'right' else 'c.one_ref' }} as right_ref,
        coalesce(c.customer_id, c.one_customer_id) as customer_id,
        c.one_period as period,
        c.{{ 'currency' if many == 'left' else 'one_currency' }} as currency,
        c.{{ 'currency' if many == 'right' else 'one_currency' }} as right_currency,
        c.run_amount as left_amount,
        c.run_amount as right_amount,
        {{ 'nobody.no_l' if many == 'left' else 'one_side.l' }} as l,
        {{ 'one_side.r' if many == 'left' else 'nobody.no_r' }} as r,
    from run_candidates_{{ after }} as c
    inner join (select distinct one_ref from run_members_taken_{{ after }} where most_claims = 1 and members_of_one = run_size) as t
        on c.one_ref = t.one_ref
    inner join (select {{ o }}.ref, {{ o }} from {{ one }}_after_{{ before }} as {{ o }}) as one_side on c.one_ref = one_side.ref
    left join nobody on true

),

{{ many }}_after_{{ after }} as (

    select {{ m }}.*
    from {{ many }}_after_{{ before }} as {{ m }}
    left join run_members_taken_{{ after }} as t on {{ m }}.ref = t.many_ref and t.most_claims = 1 and t.members_of_one = t.run_size
    where t.many_ref is null

),

{{ one }}_after_{{ after }} as (

    select {{ o }}.*
    from {{ one }}_after_{{ before }} as {{ o }}
    left join pass_{{ after }} as p on {{ o }}.ref = p.match_key
    where p.match_key is null

),

{%- else -%}
pass_{{ after }} as (

    select
        '{{ pass.rule }}' as match_rule,
        {{ 'r.ref' if kind == 'repeated' else 'l.ref' }} as match_key,
        l.ref as left_ref,
        r.ref as right_ref,
        coalesce(l.customer_id, r.customer_id) as customer_id,
        {{ 'r.period' if kind == 'repeated' else 'l.period' }} as period,
        {{ 'r.currency' if kind == 'repeated' else 'l.currency' }} as currency,
        r.currency as right_currency,
        {{ decimal_literal('0') if kind == 'repeated' else 'l.amount' }} as left_amount,
        r.amount as right_amount,
        l,
        r,
    from {{ '(select l.* from paired where l.ref is not null)' if kind == 'repeated' else 'left_after_' ~ before }} as l
    cross join settings
    inner join right_after_{{ before }} as r on {{ pass.on }}
    {% if pass.within %}where {{ pass.within }}{% endif %}
    {% set nearest = (pass.nearest ~ ', ') if pass.nearest else '' -%}
    qualify
        row_number() over (partition by r.ref order by {{ nearest }}l.ref) = 1
        {% if kind == 'one_to_one' -%}
        and row_number() over (partition by l.ref order by {{ nearest }}r.ref) = 1
        {%- endif %}

),

left_after_{{ after }} as (

    select l.*
    from left_after_{{ before }} as l
    left join pass_{{ after }} as p on l.ref = p.left_ref
    where p.left_ref is null

),

right_after_{{ after }} as (

    select r.*
    from right_after_{{ before }} as r
    left join pass_{{ after }} as p on r.ref = p.right_ref
    where p.right_ref is null

),

{% endif -%}
{% endfor -%}
match_groups as (

    {% for _ in passes -%}
    select * from pass_{{ loop.index }}
    union all
    {% endfor -%}
    select
        cast(null as string) as match_rule,
        l.ref as match_key,
        l.ref as left_ref,
        cast(null as string) as right_ref,
        l.customer_id,
        l.period,
        l.currency,
        l.currency as right_currency,
        l.amount as left_amount,
        {{ decimal_literal('0') }} as right_amount,
        l,
        nobody.no_r as r,
    from left_after_{{ passes | length }} as l
    left join nobody on true
    union all
    select
        cast(null as string) as match_rule,
        r.ref as match_key,
        cast(null as string) as left_ref,
        r.ref as right_ref,
        r.customer_id,
        r.period,
        r.currency,
        r.currency as right_currency,
        {{ decimal_literal('0') }} as left_amount,
        r.amount as right_amount,
        nobody.no_l as l,
        r,
    from right_after_{{ passes | length }} as r
    left join nobody on true

),

differences as (

    -- two currencies can't be subtracted: the whole left amount is missing in its own
    select
        *,
        {{ to_decimal("case when currency = right_currency then left_amount - right_amount else left_amount end") }} as difference,
    from match_groups

),

tolerated as (

    select
        d.*,
        s.tolerance,
        s.budget,
        sum(case when abs(d.difference) <= s.tolerance then abs(d.difference) else 0 end) over (partition by d.period, d.currency) as passing,
    from differences as d
    cross join settings as s

),

measured as (

    select
        match_rule,
        match_key,
        left_ref,
        right_ref,
        customer_id,
        period,
        currency,
        right_currency,
        left_amount,
        right_amount,
        difference,
        tolerance,
        abs(difference) > tolerance or (difference <> 0 and passing > budget) as is_different,
        l,
        r,
    from tolerated
    union all
    select
        '{{ strongest.rule }}' as match_rule,
        paired.l.ref as match_key,
        paired.l.ref as left_ref,
        paired.r.ref as right_ref,
        coalesce(paired.l.customer_id, paired.r.customer_id) as customer_id,
        paired.l.period,
        paired.l.currency,
        paired.r.currency as right_currency,
        paired.l.amount as left_amount,
        paired.r.amount as right_amount,
        {{ to_decimal('0') }} as difference,
        settings.tolerance,
        false as is_different,
        paired.l,
        paired.r,
    from paired
    cross join settings
    where paired.is_tied

),

{% if upstream -%}
named_upstream as (

    {% for source, sign in upstream.items() -%}
    select
        break_id,
        customer_id,
        currency,
        {{ 'difference' if sign > 0 else '-difference' }} as difference,
        cause,
    from {{ ref('rec_' ~ source) }}
    where status in ('break', 'timing') and difference <> 0
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

named_in_turn as (

    select
        *,
        row_number() over (partition by customer_id, currency, difference order by break_id) as turn,
    from named_upstream

),

different_in_turn as (

    select
        *,
        row_number() over (partition by customer_id, currency, difference order by match_key) as turn,
    from measured
    where is_different

),

consequences as (

    -- one for one: of two equal differences a single break explains a single one
    select
        d.match_key,
        n.cause,
    from different_in_turn as d
    inner join named_in_turn as n
        on d.customer_id = n.customer_id and d.currency = n.currency and d.difference = n.difference and d.turn = n.turn

),

{% endif -%}
judged as (

    select
        m.*,
        {{ 'consequences.cause' if upstream else 'cast(null as string)' }} as upstream_cause,
        case
            {%- if upstream %}
            when consequences.match_key is not null then -1
            {%- endif %}
            {% for rule in causes -%}
            when {{ rule.when }} then {{ loop.index }}
            {% endfor -%}
            when m.is_different then 0
        end as rule_no,
    from measured as m
    cross join settings
    {%- if upstream %}
    left join consequences on m.match_key = consequences.match_key
    {%- endif %}

),

explained as (

    -- two that share their id and tie speak for themselves
    select
        m.*,
        case
            when m.rule_no is null and m.match_rule = '{{ strongest.rule }}' then '{}'
            else {{ json_object(evidence) }}
        end as evidence,
    from judged as m
    cross join settings

)

select
    '{{ comparison }}' as comparison,
    {{ surrogate_key(["'" ~ comparison ~ "'", 'match_key']) }} as break_id,
    match_key,
    customer_id,
    period,
    currency,
    right_currency,
    left_ref,
    {{ to_decimal('left_amount') }} as left_amount,
    right_ref,
    {{ to_decimal('right_amount') }} as right_amount,
    difference,
    match_rule,
    case rule_no
        {% for rule in causes -%}
        when {{ loop.index }} then '{{ rule.status | default('break') }}'
        {% endfor -%}
        when 0 then 'break'
        else 'matched'
    end as status,
    case rule_no
        {% for rule in causes -%}
        when {{ loop.index }} then '{{ rule.cause }}'
        {% endfor -%}
        when 0 then 'unexplained'
        when -1 then upstream_cause
    end as cause,
    tolerance,
    evidence,
    '{{ local_md5(tojson([passes, causes, evidence])) }}' as rule_version,
from explained
{%- endmacro %}
