"""Runs the suites over a warehouse's marts with Great Expectations, in SQL, and writes its Data Docs.

Great Expectations takes 5 to 8 seconds to import, so it is imported when a suite runs and not before.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import duckdb

from expectations.docs import write_docs
from expectations.suite import SUITES, FailedExpectation, Suite, SuiteError, SuiteResult, read_suites

_MART = re.compile(r"\b\w+\.(?:fct|dim|rec)_\w+")
SHOWN = 3  # offending rows quoted in a message; the query in the suite gives all of them


class Tables(Protocol):
    """A warehouse that gives its tables one by one."""

    def copy(self, names: Iterable[str], into: duckdb.DuckDBPyConnection) -> list[str]:
        """Copy tables, called like `schema.table`, into a DuckDB database, and say which of them are not there."""


class Persisted(StrEnum):
    """DuckDB in the form of Great Expectations' own list of dialects whose connection stays open between queries."""

    DUCKDB = "duckdb"


def run_suites(
    warehouse: Path | Tables,
    docs_dir: Path,
    suites: Sequence[str] | None = None,
    folder: Path = SUITES,
    schemas: Mapping[str, str] = MappingProxyType({}),
) -> list[SuiteResult]:
    """Runs the suites over the DuckDB file `warehouse`, read only, and writes the Data Docs into `docs_dir`. Of another warehouse
    the marts that the suites name are copied into such a file first. `schemas` says where the marts of a layer are, if not in
    the schema that is called like it.

    Every expectation runs as SQL, so that amounts stay decimals; a data frame would make them floats.
    An expectation that cannot be evaluated counts as a critical failure: a check that did not run has not passed.
    Raises SuiteError when the warehouse or a mart is missing, or a suite is malformed.
    """
    declared = [_moved(suite, schemas) for suite in read_suites(suites, folder)]
    if not isinstance(warehouse, Path):
        warehouse = _copied(warehouse, declared, docs_dir)
    _require_marts(warehouse, declared)
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    gx = import_module("great_expectations")
    engines: Any = import_module("great_expectations.execution_engine.sqlalchemy_execution_engine")
    # A DuckDB result does not outlive its connection: without this every answer would be read from a closed one.
    if Persisted.DUCKDB not in engines._PERSISTED_CONNECTION_DIALECTS:
        engines._PERSISTED_CONNECTION_DIALECTS += (Persisted.DUCKDB,)

    atexit.register(_silence_stderr)
    bound = {suite.name: _bind(suite) for suite in declared}
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    # Spelled in lower case, duckdb-engine sets the time zone after the connection is made; `TimeZone` would be set
    # before its extension is loaded, and refused.
    source = context.data_sources.add_sql(
        "warehouse",
        connection_string=f"duckdb:///{warehouse.resolve()}",
        kwargs={"connect_args": {"read_only": True, "config": {"timezone": "UTC"}}},
        create_temp_table=False,
    )
    definitions = []
    for suite in declared:
        schema, table = suite.mart.split(".")
        asset = source.add_table_asset(suite.name, table_name=table, schema_name=schema)
        definition = gx.ValidationDefinition(
            name=suite.name,
            data=asset.add_batch_definition_whole_table("all"),
            suite=context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=bound[suite.name])),
        )
        definitions.append(context.validation_definitions.add(definition))
    checkpoint = gx.Checkpoint(
        name="tieout",
        validation_definitions=definitions,
        result_format={"result_format": "COMPLETE"},
    )
    try:
        run = context.checkpoints.add(checkpoint).run()
    finally:
        # DuckDB has one writer: a connection left open here locks the next run out of its own warehouse.
        execution_engine = source.get_execution_engine()
        with execution_engine.get_connection() as connection:
            connection.close()
        execution_engine.close()
        source.get_engine().dispose()
    by_suite = {result.suite_name: result.results for result in run.run_results.values()}
    results = [_result(suite, by_suite[suite.name], docs_dir / "index.html") for suite in declared]
    write_docs(context, docs_dir, list(zip(declared, results, strict=True)))
    return results


def _copied(tables: Tables, suites: Sequence[Suite], folder: Path) -> Path:
    """A new DuckDB file with what the suites name, as far as it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    # DuckDB calls a database by its file: named like a schema it would be ambiguous.
    file = folder / "copied.duckdb"
    file.unlink(missing_ok=True)
    named = {mart for suite in suites for text in (suite.mart, *_texts(suite)) for mart in _MART.findall(text)}
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables.copy(sorted(named), connection)
    return file


def _texts(suite: Suite) -> Iterator[str]:
    for each in suite.expectations:
        yield from (value for value in each.arguments.values() if isinstance(value, str))


def _moved(suite: Suite, schemas: Mapping[str, str]) -> Suite:
    """The suite with its mart, and the marts that its queries name, in other schemas."""

    def moved(text: str) -> str:
        return re.sub(r"\b(\w+)\.(?=(fct|dim|rec)_)", lambda found: f"{schemas.get(found[1], found[1])}.", text)

    expectations = tuple(
        replace(
            each,
            arguments={key: moved(value) if isinstance(value, str) else value for key, value in each.arguments.items()},
        )
        for each in suite.expectations
    )
    return replace(suite, mart=moved(suite.mart), expectations=expectations)


def _silence_stderr() -> None:
    """Great Expectations and duckdb-engine together keep DuckDB's types alive past the interpreter's end, where DuckDB
    would write a page about leaked objects into the terminal, below the report."""
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _require_marts(warehouse: Path, suites: Sequence[Suite]) -> None:
    if not warehouse.is_file():
        raise SuiteError(f"there is no warehouse at {warehouse}: build it first, then check what is in it")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute("select table_schema || '.' || table_name from information_schema.tables")
        present = {name for (name,) in tables.fetchall()}
    for suite in suites:
        if suite.mart not in present:
            raise SuiteError(f"{suite.name}.yml: {suite.mart} is not in {warehouse}: build the marts first")


def _bind(suite: Suite) -> list[Any]:
    """Great Expectations' own objects, built one by one: a suite built from data drops an invalid entry with a log
    line, and a promise that is not checked would read as one that holds."""
    exceptions = import_module("great_expectations.exceptions")
    registry = import_module("great_expectations.expectations.registry")
    bound = []
    for number, expectation in enumerate(suite.expectations, start=1):
        where = f"{suite.name}.yml, expectation {number} ({expectation.expects})"
        try:
            bound.append(
                registry.get_expectation_impl(expectation.type)(
                    **expectation.arguments,
                    severity=expectation.severity,
                    description=expectation.expects,
                    notes=expectation.why,
                    meta={"expects": expectation.expects},
                )
            )
        except exceptions.ExpectationNotFoundError as error:
            raise SuiteError(f"{where}: Great Expectations knows no {expectation.type}") from error
        except ValueError as error:
            raise SuiteError(f"{where}: {error}") from error
    return bound


def _result(suite: Suite, results: Sequence[Any], docs: Path) -> SuiteResult:
    by_promise = {result.expectation_config.meta["expects"]: result for result in results}
    failed = []
    for expectation in suite.expectations:
        result = by_promise[expectation.expects]
        if result.success:
            continue
        raised = _exception(result.exception_info)
        failed.append(
            FailedExpectation(
                expects=expectation.expects,
                type=expectation.type,
                column=expectation.arguments.get("column"),
                severity="critical" if raised else expectation.severity,
                why=expectation.why,
                observed=f"could not be evaluated: {raised}" if raised else _observed(result.result),
            )
        )
    critical = any(failure.severity == "critical" for failure in failed)
    return SuiteResult(suite.name, suite.mart, not critical, tuple(failed), len(by_promise), docs)


def _exception(info: Mapping[str, Any]) -> str:
    """What stopped the expectation, in one line; empty when nothing did. Great Expectations nests it one per metric."""
    raised = [info] if "raised_exception" in info else list(info.values())
    messages = [str(each["exception_message"]) for each in raised if each["raised_exception"]]
    return messages[0].partition("[SQL:")[0].strip() if messages else ""


def _observed(result: Mapping[str, Any]) -> str:
    if "details" in result:
        rows = result["details"]["unexpected_rows"]
        shown = "; ".join(", ".join(f"{key} {_text(value)}" for key, value in row.items()) for row in rows[:SHOWN])
        return f"{_rows(result['observed_value'])}: {shown}"
    if "unexpected_count" in result:
        shown = ", ".join(_text(value) for value in result["partial_unexpected_list"][:SHOWN])
        return f"{_rows(result['unexpected_count'])} of {result['element_count']:,}: {shown}"
    if "partial_missing_list" in result:
        return f"missing: {', '.join(_text(value) for value in result['partial_missing_list'])}"
    return _text(result["observed_value"])


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return "none" if value is None else str(value)
