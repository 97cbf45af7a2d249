{#- left: what the product's contracts and price book say, right: the Orb price that should implement it, figure by figure -#}
with figures as (

    select
        *,
        concat(currency, ' price') as unit,
    from {{ ref('int_rating__price_figures') }}

),

{% for source in ['product', 'orb'] -%}
prices_of_{{ source }} as (

    select
        orb_price_id,
        min(owner) as owner,
    from figures
    where source = '{{ source }}' and orb_price_id is not null
    group by orb_price_id

),

{% endfor -%}
{% for side, source, other in [('left_side', 'product', 'orb'), ('right_side', 'orb', 'product')] -%}
{{ side }} as (

    -- a price that the other side does not have at all is one break, not one a figure
    select
        concat(figures.price_ref, '/', figures.figure) as ref,
        contracts.customer_id,
        {{ year_month(date_of('known.known_at')) }} as period,
        figures.unit as currency,
        figures.amount,
        figures.owner,
        counterparts.owner as counterpart,
        figures.price_ref,
        figures.orb_price_id,
        figures.named_orb_price_id,
        figures.price_model,
        figures.metric,
        figures.is_sold_before,
        figures.figure,
        figures.figure_no,
    from figures
    cross join {{ ref('int_core__known_at') }} as known
    left join {{ ref('stg_app__contracts') }} as contracts on figures.owner = contracts.contract_id
    left join prices_of_{{ other }} as counterparts on figures.orb_price_id = counterparts.orb_price_id
    where figures.source = '{{ source }}' and (figures.figure_no = 1 or counterparts.orb_price_id is not null)

),

{% endfor -%}
{{ reconcile(
    comparison='rated__agreed_prices_vs_orb_prices',
    passes=[
        {'rule': 'orb_price_and_figure', 'on': 'r.orb_price_id = l.orb_price_id and r.figure = l.figure'},
    ],
    causes=[
        {
            'cause': 'unexplained',
            'when': 'm.is_different or l.figure_no = 1 and '
            ~ '(l.price_model <> r.price_model or l.metric <> r.metric or l.named_orb_price_id <> r.orb_price_id or l.is_sold_before)',
        },
    ],
    evidence={
        'agreed_in': 'coalesce(l.owner, r.counterpart)',
        'agreed_price': 'l.price_ref',
        'named_orb_price_id': 'l.named_orb_price_id',
        'orb_price_id': 'coalesce(r.orb_price_id, l.orb_price_id)',
        'figure': 'coalesce(l.figure, r.figure)',
        'agreed_price_model': 'l.price_model',
        'orb_price_model': 'r.price_model',
        'agreed_metric': 'l.metric',
        'orb_metric': 'r.metric',
        'is_sold_before_it_is_listed': 'cast(l.is_sold_before as string)',
    },
) }}
