{# What decides whether an incremental model is built on or made again, and which days of usage are.

   dbt's own, and two reasons more: what is known as of a moment is a part of what has landed, and rows of two versions of the
   code do not make one table. #}
{% macro should_full_refresh() -%}
    {%- set asked = config.get('full_refresh') -%}
    {%- set is_asked = flags.FULL_REFRESH if asked is none else asked -%}
    {{ return(is_asked or (model.config.materialized == 'incremental' and (var('as_of') is not none or is_of_other_code()))) }}
{%- endmacro %}

{# Whether the table was made by other code than the project has now. Only a build asks: to compile, no warehouse is needed. #}
{% macro is_of_other_code() -%}
    {%- set table = load_cached_relation(this) if execute and flags.WHICH in ['build', 'run'] -%}
    {%- set found = run_query('select code_version from ' ~ table ~ ' limit 1').rows if table else [] -%}
    {{ return(found | length > 0 and found[0][0] != code_version()) }}
{%- endmacro %}

{# Hash of the model's file and of those that it reads through others. Macros have no hash in dbt: what they change is made good by the
   next full refresh. #}
{% macro code_version() -%}
    {{ return(local_md5(files_behind(model.unique_id) | unique | sort | join) if execute) }}
{%- endmacro %}

{% macro files_behind(unique_id) -%}
    {%- set found = [graph.nodes[unique_id].checksum.checksum] -%}
    {%- for parent in graph.nodes[unique_id].depends_on.nodes if parent in graph.nodes -%}
        {%- do found.extend(files_behind(parent)) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# The days whose rows add up to another number than those that the model was made of: all, where it is made. #}
{% macro usage_days_to_build() -%}
    select
        landings.usage_date,
        landings.landed_rows,
    from (
        select
            usage_date,
            {{ sum_integer('row_count') }} as landed_rows,
        from {{ ref('int_usage__landings') }}
        group by usage_date
    ) as landings
    {% if is_incremental() -%}
    left join (select distinct usage_date, landed_rows from {{ this }}) as built
        on landings.usage_date = built.usage_date and landings.landed_rows = built.landed_rows
    where built.usage_date is null
    {%- endif %}
{%- endmacro %}

{# Joins that keep the rows of some days, which are those of the query `of`. The bounds tell nothing new: they spare reading what lies
   outside, and all where there are no days. #}
{% macro within_days(instant, days, of) -%}
    {%- set known = known_days('select min(usage_date), max(usage_date) from (' ~ of ~ ') as asked') -%}
    inner join {{ days }} on {{ date_of(instant) }} = {{ days }}.usage_date {{ and_within(known, instant) }}
    inner join (
        select
            cast(min(usage_date) as {{ timestamp_type() }}) as first_at,
            cast({{ add_to_date('day', 1, 'max(usage_date)') }} as {{ timestamp_type() }}) as end_at,
        from {{ days }}
        having count(*) > 0
    ) as bounds on {{ instant }} >= bounds.first_at and {{ instant }} < bounds.end_at
{%- endmacro %}

{# The days of the usage that batches have brought which the model has not seen, as the ledger on BigQuery tells. #}
{% macro newly_landed_days() -%}
    {%- if not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set ledger = api.Relation.create(database=target.database, schema='ingestion', identifier='batches') -%}
    {{ return(known_days(
        'select min(date(first_at)), max(date(last_at)) from ' ~ ledger ~ " where source = 'app' and stream = 'usage_events'"
        ~ ' and batch_id not in (select distinct batch_id from ' ~ this ~ ')'
    )) }}
{%- endmacro %}

{# BigQuery leaves out the partitions that a statement excludes in so many words, not those that a join would: the first and the last day
   are asked for before the model is built. To compile, no warehouse is needed: var('usage_bounds') stands in for the answer. #}
{% macro known_days(query) -%}
    {%- if target.type != 'bigquery' or not execute -%}{{ return(none) }}{%- endif -%}
    {%- if var('usage_bounds') or flags.WHICH not in ['build', 'run'] -%}{{ return(var('usage_bounds')) }}{%- endif -%}
    {%- set found = run_query(query).rows[0] -%}
    {{ return([found[0], found[1]] if found[0] else ['1970-01-01', '1970-01-01']) }}
{%- endmacro %}

{% macro and_within(known, instant) -%}
    {%- if known -%}
        and {{ instant }} >= {{ timestamp_literal(known[0]) }} and {{ instant }} < {{ add_to_timestamp('day', 1, timestamp_literal(known[1])) }}
    {%- endif -%}
{%- endmacro %}

{# dbt's own, for tests whose `where` has __lately__: raw only grows, and what was tested when it came is as it was. Three days, so that a
   row that failed is not out of sight before anybody looks; all of history in a full refresh, as each night. #}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where', '') -%}
    {%- set since = '1970-01-01 00:00:00+00:00' if flags.FULL_REFRESH
        else (run_started_at - modules.datetime.timedelta(days=3)).strftime('%Y-%m-%d %H:%M:%S+00:00') -%}
    {%- if where -%}
        {{ return("(select * from " ~ relation ~ " where " ~ where.replace('__lately__', timestamp_literal(since)) ~ ") as dbt_subquery") }}
    {%- else -%}
        {{ return(relation) }}
    {%- endif -%}
{%- endmacro %}
