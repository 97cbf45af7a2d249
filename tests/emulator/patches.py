"""Corrections of bqemulator 1.4.0, each where it answers otherwise than BigQuery; `test_patches.py` has GoogleSQL's answers.

1. The job id of an upload is thrown away and another one made up.
2. An upload whose media type is `*/*`, which is what Google's client sends, is refused.
3. A cast to NUMERIC keeps three decimals, one to BIGNUMERIC five.
4. ARRAY_AGG(DISTINCT x IGNORE NULLS), which dbt's insert_overwrite asks for, is a syntax error.
5. CREATE TABLE t (columns) AS (SELECT ...), which dbt's contracts ask for, finds no SELECT in its parentheses.
6. Weeks from Monday: DATE_TRUNC and TIMESTAMP_TRUNC to ISOWEEK fail, to WEEK(MONDAY) give Sunday.
7. TIMESTAMP_DIFF counts boundaries, BigQuery whole units.
8. A Parquet file's columns go into the table's by their place, not by their name.
9. What UNNEST ... WITH OFFSET counts from 0 is made so again in every query around it, and loses its name.
10. A member of a JSON object by a key that is a column, document[key], is looked for as in an array.
11. All fields of a struct, x.pair.*, are a syntax error.
12. A row as a value, `l` of `from t as l`, is taken for a column of it.
13. An apostrophe in a comment begins a text: in what follows, numbers within texts are changed.
14. A window of the same name in two parts of a UNION is said to be defined twice.
15. A product of two BIGNUMERICs does not fit: what stands for them has 38 digits. Whole and fraction are multiplied apart.
16. SET (x) = (SELECT AS STRUCT ...), which dbt's insert_overwrite asks for, wraps the value once more.
17. A quotient of two BIGNUMERICs has nine decimals.
18. A NUMERIC as text has the zeros that its type leaves room for.
19. TO_JSON_STRING of a NULL is NULL and not the text null.
20. FORMAT_TIMESTAMP leaves %E*S, seconds with the decimals that there are, as it stands.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any

import sqlglot
from bqemulator.api.routes import upload
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.sql import translator
from bqemulator.sql.rewriter import aggregate_variants, create_table_schema_ctas, unnest_offset
from sqlglot import exp

# 1
_wanted: ContextVar[str] = ContextVar("_wanted")
_configuration, _run_load = upload._load_configuration_from_envelope, upload._run_load


def _with_reference(envelope: dict[str, Any]) -> dict[str, Any]:
    return {**_configuration(envelope), "jobReference": envelope["jobReference"]}


async def _run_as_asked(*, configuration: dict[str, Any], **rest: Any) -> Any:
    _wanted.set(configuration["jobReference"]["jobId"])
    kept = {name: value for name, value in configuration.items() if name != "jobReference"}
    return await _run_load(configuration=kept, **rest)


upload._load_configuration_from_envelope = _with_reference
upload._run_load = _run_as_asked
upload._new_job_id = lambda: _wanted.get()

# 2
_is_permitted = upload._is_permitted_media_type
upload._is_permitted_media_type = lambda kind: kind == "*/*" or _is_permitted(kind)

# 3, 11 and 12
_NAME = r'(?:"\w+"|\b\w+)'
_FIELDS = re.compile(rf"({_NAME}\.{_NAME})\.\*")
_ROW = re.compile(r'"([lr])"\."\1"')
_BARE = re.compile(r"\bDECIMAL\b(?!\s*\()")
_apply_rules = translator.SQLTranslator._apply_rules


def _with_scale(self: Any, sql: str, **rest: Any) -> str:
    translated = _BARE.sub("DECIMAL(38, 9)", _apply_rules(self, _BARE.sub("DECIMAL(38, 9)", sql), **rest))
    translated = translated.replace("DECIMAL(38, 5)", "DECIMAL(38, 18)")
    return _ROW.sub(r'"\1"', _FIELDS.sub(r"unnest(\1)", translated))


translator.SQLTranslator._apply_rules = _with_scale

# 4
_filter_target = aggregate_variants._filter_target


def _target_of_distinct(operand: Any) -> Any:
    if isinstance(operand, exp.Order) and isinstance(operand.this, exp.Distinct):
        operand = operand.this
    return _filter_target(operand.expressions[0] if isinstance(operand, exp.Distinct) else operand)


aggregate_variants._filter_target = _target_of_distinct

# 5
_first_select = create_table_schema_ctas._first_select


def _within_parentheses(body: Any) -> Any:
    while isinstance(body, (exp.Subquery, exp.Paren)):
        body = body.this
    return _first_select(body)


create_table_schema_ctas._first_select = _within_parentheses

# 6, 7, 10, 14, 15 and 17 to 20
_MICROSECONDS = {"DAY": 86_400_000_000, "HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000}
_TO_CORRECT = re.compile(
    r"ISOWEEK|WEEK\(|TIMESTAMP_DIFF|\[\w|\bWINDOW\b|BIGNUMERIC|\bAS\s+STRING\b|TO_JSON_STRING|%E\*S", re.IGNORECASE
)
_translate = translator.SQLTranslator.translate


def _is_from_monday(node: Any) -> bool:
    unit = node.args.get("unit")
    if isinstance(unit, exp.WeekStart):
        return "MONDAY" in (unit.name.upper(), (unit.this.name if unit.this else "").upper())
    return unit is not None and unit.name.upper() == "ISOWEEK"


def _is_big(node: Any) -> bool:
    if isinstance(node, exp.Nullif):
        return _is_big(node.this)
    return isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.BIGDECIMAL


def _called(macro: str, *arguments: Any) -> Any:
    return exp.Anonymous(this=macro, expressions=[each.transform(_corrected) for each in arguments])


def _corrected(node: Any) -> Any:
    if isinstance(node, (exp.DateTrunc, exp.TimestampTrunc)) and _is_from_monday(node):
        kind, day = ("DATE", "{0}") if isinstance(node, exp.DateTrunc) else ("TIMESTAMP", "TIMESTAMP_TRUNC({0}, DAY)")
        since_monday = "MOD(EXTRACT(DAYOFWEEK FROM {0}) + 5, 7)"
        found = f"{kind}_SUB({day}, INTERVAL ({since_monday}) DAY)".format(node.this.sql("bigquery"))
        return sqlglot.parse_one(found, read="bigquery")
    if isinstance(node, exp.Bracket) and isinstance(node.expressions[0], exp.Column):
        return _called("json_member", node.this, node.expressions[0])
    if isinstance(node, exp.Mul) and all(_is_big(side) for side in (node.this, node.expression)):
        return _called("big_multiply", node.this, node.expression)
    if isinstance(node, exp.Div) and all(_is_big(side) for side in (node.this, node.expression)):
        return _called("big_divide", node.this, node.expression)
    if isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES and not isinstance(node.this, exp.Null):
        return _called("text_of", node.this)
    if isinstance(node, exp.TimeToStr) and node.args["format"].name.endswith("%E*S"):
        return _called("instant_text_of", node.this)
    if isinstance(node, exp.JSONFormat):
        return _called("json_text_of", node.this)
    if isinstance(node, exp.TimestampDiff) and (unit := node.args["unit"].name.upper()) in _MICROSECONDS:
        ends = f"{node.this.sql('bigquery')}, {node.expression.sql('bigquery')}"
        whole = f"DIV(TIMESTAMP_DIFF({ends}, MICROSECOND), {_MICROSECONDS[unit]})"
        return sqlglot.parse_one(whole, read="bigquery")
    return node


def _windows_apart(query: Any) -> Any:
    for number, select in enumerate(query.find_all(exp.Select)):
        for window in select.args.get("windows") or ():
            name, apart = window.name, f"{window.name}_{number}"
            window.set("this", exp.to_identifier(apart))
            for used in select.find_all(exp.Window):
                if used.parent_select is select and used.alias == name:
                    used.set("alias", exp.to_identifier(apart))
    return query


def _translated(self: Any, sql: str, **rest: Any) -> Any:
    if _TO_CORRECT.search(sql):
        trees = sqlglot.parse(sql, read="bigquery")
        if len(trees) == 1 and trees[0] is not None and not isinstance(trees[0], exp.Command):
            sql = _windows_apart(trees[0].transform(_corrected)).sql(dialect="bigquery")
    return _translate(self, sql, **rest)


translator.SQLTranslator.translate = _translated


# 8
def _load_parquet(path: str, target: str, context: Any) -> None:
    context.engine.execute(f"INSERT INTO {target} BY NAME SELECT * FROM read_parquet(?)", [path])


executor._LOAD_FORMAT_HANDLERS["PARQUET"] = _load_parquet


# 9
def _rebased(tree: Any, names: set[str]) -> bool:
    found = False
    for column in list(tree.find_all(exp.Column)):
        scope = column.parent_select
        unnested = [each for each in (scope.find_all(exp.Unnest) if scope else ()) if each.parent_select is scope]
        if column.name not in names or column.name not in {_name(each.args.get("offset")) for each in unnested}:
            continue
        from_zero: Any = exp.Paren(this=exp.Sub(this=column.copy(), expression=exp.Literal.number(1)))
        column.replace(exp.alias_(from_zero, column.name) if column.parent is scope else from_zero)
        found = True
    return found


def _name(offset: Any) -> str:
    return offset.name if isinstance(offset, exp.Identifier) else "offset" if offset else ""


unnest_offset._rebase_offset_columns = _rebased

# 13
_TEXT_OR_COMMENT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`[^`]*`)|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_rewrite = translator.rewrite_decimal_literals
translator.rewrite_decimal_literals = lambda sql: _rewrite(_TEXT_OR_COMMENT.sub(lambda found: found[1] or " ", sql))

# 16
_interpreter: Any = next(
    each for each in vars(interpreter).values() if isinstance(each, type) and "_exec_set" in vars(each)
)
_exec_set = _interpreter._exec_set


async def _set_once(self: Any, statement: Any) -> None:
    source = re.sub(r"(?is)^(\s*\(\s*select)\s+as\s+struct\b", r"\1", statement.source_expr)
    if len(statement.targets) == 1 and source != statement.source_expr:
        self._frames.set(statement.targets[0], (await self._eval_expr_row(source))[0])
        return
    await _exec_set(self, statement)


_interpreter._exec_set = _set_once


_MACROS = """
create macro json_member(document, key) as json_extract(document, '$."' || key || '"');
create macro big_multiply(x, y) as (
    cast(trunc(x) * trunc(y) as decimal(38, 18))
    + trunc(x) * (y - trunc(y))
    + (x - trunc(x)) * trunc(y)
    + cast((x - trunc(x)) * (y - trunc(y)) as decimal(38, 18))
);
create macro attounits(x) as (
    cast(trunc(x) as hugeint) * 1000000000000000000 + cast((x - trunc(x)) * 1000000000000000000 as hugeint)
);
create macro next_digits(rest, y) as (rest % y) * 1000000;
create macro quotient(x, y) as (
    cast(x // y as decimal(38, 18))
    + cast(next_digits(x, y) // y as decimal(7, 0)) * cast('0.000001' as decimal(18, 18))
    + cast(next_digits(next_digits(x, y), y) // y as decimal(7, 0)) * cast('0.000000000001' as decimal(18, 18))
    + cast((2 * next_digits(next_digits(next_digits(x, y), y), y) + y) // (2 * y) as decimal(7, 0))
    * cast('0.000000000000000001' as decimal(18, 18))
);
create macro big_divide(x, y) as sign(x) * sign(y) * quotient(abs(attounits(x)), abs(attounits(y)));
create macro text_of(x) as case
    when typeof(x) like 'DECIMAL%' then regexp_replace(regexp_replace(x::varchar, '(\\.[0-9]*?)0+$', '\\1'), '\\.$', '')
    else x::varchar
end;
create macro instant_text_of(x) as rtrim(rtrim(strftime(x, '%Y-%m-%d %H:%M:%S.%f'), '0'), '.');
create macro json_text_of(x) as coalesce(to_json(x)::varchar, 'null')
"""


def prepare(connection: Any) -> None:
    """What the database behind it needs for 10, 15 and 17 to 20."""
    for macro in _MACROS.split(";"):
        connection.execute(macro)
