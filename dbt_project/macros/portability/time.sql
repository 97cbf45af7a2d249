{# Instants are UTC: DuckDB sessions run with TimeZone UTC, BigQuery has no other. Weeks are ISO weeks, from Monday. #}

{% macro timestamp_from_unix(seconds) %}{{ return(adapter.dispatch('timestamp_from_unix')(seconds)) }}{% endmacro %}
{% macro bigquery__timestamp_from_unix(seconds) %}timestamp_seconds(cast({{ seconds }} as int64)){% endmacro %}
{% macro duckdb__timestamp_from_unix(seconds) %}to_timestamp(cast({{ seconds }} as bigint)){% endmacro %}

{# ISO 8601 text; without a zone it is UTC. #}
{% macro timestamp_from_iso(text) %}cast({{ text }} as {{ timestamp_type() }}){% endmacro %}

{% macro timestamp_literal(text) %}{{ return(adapter.dispatch('timestamp_literal')(text)) }}{% endmacro %}
{% macro bigquery__timestamp_literal(text) %}timestamp '{{ text }}'{% endmacro %}
{% macro duckdb__timestamp_literal(text) %}timestamptz '{{ text }}'{% endmacro %}
{% macro date_literal(text) %}date '{{ text }}'{% endmacro %}

{# Fixed for a run: one dbt invocation sees one "now" (`run_started_at`), whatever the model's place in the order. #}
{% macro current_instant() %}{{ timestamp_literal(run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f+00:00')) }}{% endmacro %}
{# The moment whose knowledge is shown: var('as_of'), or now. #}
{% macro as_of() %}{{ timestamp_literal(var('as_of')) if var('as_of') else current_instant() }}{% endmacro %}

{# The UTC calendar day of an instant. A cast, and date_trunc below, ask DuckDB's calendar of time zones about every `timestamptz`: that
   takes six times as long as to count. #}
{% macro date_of(instant) %}{{ return(adapter.dispatch('date_of')(instant)) }}{% endmacro %}
{% macro bigquery__date_of(instant) %}cast({{ instant }} as date){% endmacro %}
{% macro duckdb__date_of(instant) %}cast(make_timestamp(epoch_us({{ instant }})) as date){% endmacro %}
{# 'YYYY-MM' of a date. #}
{% macro year_month(day) %}{{ return(adapter.dispatch('year_month')(day)) }}{% endmacro %}
{% macro bigquery__year_month(day) %}format_date('%Y-%m', {{ day }}){% endmacro %}
{% macro duckdb__year_month(day) %}strftime({{ day }}, '%Y-%m'){% endmacro %}
{# 'YYYY-MM-DD' of a date. #}
{% macro iso_date(day) %}{{ return(adapter.dispatch('iso_date')(day)) }}{% endmacro %}
{% macro bigquery__iso_date(day) %}format_date('%F', {{ day }}){% endmacro %}
{% macro duckdb__iso_date(day) %}strftime({{ day }}, '%Y-%m-%d'){% endmacro %}

{# 'YYYY-MM-DD HH:MM:SS', and a fraction where there is one, of an instant as the marts have it: DuckDB's `timestamp`, without a zone. #}
{% macro instant_text(instant) %}{{ return(adapter.dispatch('instant_text')(instant)) }}{% endmacro %}
{% macro bigquery__instant_text(instant) %}format_timestamp('%F %H:%M:%E*S', {{ instant }}){% endmacro %}
{% macro duckdb__instant_text(instant) %}cast({{ instant }} as string){% endmacro %}

{% macro truncate_timestamp(part, instant) %}{{ return(adapter.dispatch('truncate_timestamp')(part, instant)) }}{% endmacro %}
{% macro bigquery__truncate_timestamp(part, instant) %}timestamp_trunc({{ instant }}, {{ 'isoweek' if part == 'week' else part }}){% endmacro %}
{% macro duckdb__truncate_timestamp(part, instant) %}time_bucket(interval 1 {{ part }}, {{ instant }}){% endmacro %}

{% macro truncate_date(part, day) %}{{ return(adapter.dispatch('truncate_date')(part, day)) }}{% endmacro %}
{% macro bigquery__truncate_date(part, day) %}date_trunc({{ day }}, {{ 'isoweek' if part == 'week' else part }}){% endmacro %}
{% macro duckdb__truncate_date(part, day) %}cast(date_trunc('{{ part }}', {{ day }}) as date){% endmacro %}

{# day, week, month, quarter, year; the 31st plus a month is the month's last day. #}
{% macro add_to_date(part, count, day) %}{{ return(adapter.dispatch('add_to_date')(part, count, day)) }}{% endmacro %}
{% macro bigquery__add_to_date(part, count, day) %}date_add({{ day }}, interval {{ count }} {{ part }}){% endmacro %}
{% macro duckdb__add_to_date(part, count, day) %}cast({{ day }} + to_{{ part }}s(cast({{ count }} as integer)) as date){% endmacro %}

{# second, minute, hour, day. #}
{% macro add_to_timestamp(part, count, instant) %}{{ return(adapter.dispatch('add_to_timestamp')(part, count, instant)) }}{% endmacro %}
{% macro bigquery__add_to_timestamp(part, count, instant) %}timestamp_add({{ instant }}, interval {{ count }} {{ part }}){% endmacro %}
{% macro duckdb__add_to_timestamp(part, count, instant) %}({{ instant }} + to_{{ part }}s(cast({{ count }} as integer))){% endmacro %}

{# Boundaries crossed between two dates: Monday to Tuesday is one day, 31 January to 1 February one month. #}
{% macro date_difference(part, start, finish) %}{{ return(adapter.dispatch('date_difference')(part, start, finish)) }}{% endmacro %}
{% macro bigquery__date_difference(part, start, finish) %}date_diff({{ finish }}, {{ start }}, {{ 'isoweek' if part == 'week' else part }}){% endmacro %}
{% macro duckdb__date_difference(part, start, finish) %}date_diff('{{ part }}', {{ start }}, {{ finish }}){% endmacro %}

{# A FROM item, both ends in: `from {{ day_series('a', 'b', 'day') }}` has one column, `day`. #}
{% macro day_series(start, finish, alias) %}{{ return(adapter.dispatch('day_series')(start, finish, alias)) }}{% endmacro %}
{% macro bigquery__day_series(start, finish, alias) %}unnest(generate_date_array({{ start }}, {{ finish }}, interval 1 day)) as {{ alias }}{% endmacro %}
{% macro duckdb__day_series(start, finish, alias) -%}
    (
        select cast(unnest(generate_series(cast({{ start }} as timestamp), cast({{ finish }} as timestamp), interval 1 day)) as date) as {{ alias }}
    ) as {{ alias }}_series
{%- endmacro %}

{# The same for the first days of all months that the days between touch. #}
{% macro month_series(start, finish, alias) %}{{ return(adapter.dispatch('month_series')(start, finish, alias)) }}{% endmacro %}
{% macro bigquery__month_series(start, finish, alias) -%}
    unnest(generate_date_array({{ truncate_date('month', start) }}, {{ finish }}, interval 1 month)) as {{ alias }}
{%- endmacro %}
{% macro duckdb__month_series(start, finish, alias) -%}
    (
        select cast(unnest(generate_series(cast({{ truncate_date('month', start) }} as timestamp), cast({{ finish }} as timestamp), interval 1 month)) as date)
            as {{ alias }}
    ) as {{ alias }}_series
{%- endmacro %}
