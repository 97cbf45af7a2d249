{# What an event is metered by: metric, the event that carries it, the column summed (none: events are counted). #}
{% macro usage_metrics() -%}
    {{ return([
        ('input_tokens', 'text_generation', 'input_tokens'),
        ('output_tokens', 'text_generation', 'output_tokens'),
        ('requests', 'text_generation', none),
        ('megapixels', 'image_generation', 'megapixels'),
        ('video_seconds', 'video_generation', 'video_seconds'),
        ('gpu_seconds', 'gpu_job', 'gpu_seconds'),
    ]) }}
{%- endmacro %}

{# The events of a relation by metric: one row an event and metric. `keep`: columns carried along. #}
{% macro events_by_metric(relation, keep) -%}
    {% for metric, event_name, measure in usage_metrics() -%}
    select
        {{ keep | join(', ') }},
        '{{ metric }}' as metric,
        {{ to_decimal(measure or '1') }} as quantity,
    from {{ relation }}
    where event_name = '{{ event_name }}'{% if measure %} and {{ measure }} is not null{% endif %}

    {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro %}
