"""What an hourly run reads on BigQuery: of each model that is built, which partitions its statement leaves out, and how many
bytes that is with one, ten and a hundred times the history.

It is read off what dbt compiles, with views put in their place, as GoogleSQL analyses it: a scan has the columns that are used,
and its partitions are left out where a filter above it compares the partition's column with a constant. A join or a subquery
leaves none out. Rows and bytes are those of a small company that DuckDB has built; history is days, and all of it has come with
the days.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_enums_pb2 as enums
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_ast_pb2 as tree

from benchmarks.measure import Target, report
from ingestion.streams import EVIDENCE, STREAMS
from tests.referee.catalogue import raw_tables, seed_columns
from tests.referee.compiled import Compiled, Node, bigquery, compile_twice
from tests.referee.googlesql import GoogleSQL, inner
from tests.referee.world import build_world

_HISTORIES = (1, 10, 100)
_TOUCHED = ("2026-07-30", "2026-07-31")
_NAMED = re.compile(r"`([^`]+)`\.`([^`]+)`\.`([^`]+)`")
_COMPARISONS = {
    f"ZetaSQL:${name}" for name in ("equal", "greater", "greater_or_equal", "less", "less_or_equal", "between")
}
# Sizes of values: https://cloud.google.com/bigquery/pricing#data. A text has two bytes more than its own.
_SIZES = {"INT64": 8, "FLOAT64": 8, "NUMERIC": 16, "BIGNUMERIC": 32, "BOOL": 1, "TIMESTAMP": 8, "DATE": 8}

WHY = {
    "raw_": "objects: a newest version may be of any day, and a run reads every version there is",
    "staging": "objects: as many as there are customers, contracts and documents, not events",
    "intermediate": "days: a row a day, customer and metric, whatever the number of events",
    "marts": "days and documents: comparisons and roll-forwards are of all of them",
    "reconciliation": "differences: the register and the bridges are of all of them",
    "close": "closes: what was frozen is compared with what is known now",
    "seeds": "a seed, which does not grow",
}
"""Why a table is read whole, by the beginning of its dataset's name."""


@dataclass(frozen=True)
class Scan:
    """Of one table: the columns that are read, and whether a constant leaves partitions out."""

    table: str
    columns: frozenset[str]
    is_pruned: bool


def scans(session: GoogleSQL, sql: str, partitions: Mapping[str, str]) -> list[Scan]:
    """Those of a statement, a table that is read more than once as often. `partitions`: the column by table."""
    statement = session.analyse(sql).statement
    bounded, tables = _bounded_below(statement), list(session.known)
    found = []
    for node in _nodes(statement):
        if isinstance(node, tree.ResolvedTableScanProto):
            named = {column.name: column.column_id for column in node.parent.column_list}
            table = tables[node.table.serialization_id - 1]
            found.append(Scan(table, frozenset(named), named.get(partitions.get(table, "")) in bounded))
    return found


def _bounded_below(statement: Any) -> set[int]:
    """Ids of bounded columns, those of a WITH among them where they are bounded wherever it is read."""
    bounded = set(_bounded(statement))
    entries, readings = {}, defaultdict[str, list[Any]](list)
    for node in _nodes(statement):
        if isinstance(node, tree.ResolvedWithEntryProto):
            entries[node.with_query_name] = _ids(inner(node.with_subquery))
        elif isinstance(node, tree.ResolvedWithRefScanProto):
            readings[node.with_query_name].append(_ids(node))
    size = -1
    while size < len(bounded):
        size = len(bounded)
        for name, ids in entries.items():
            for column, *read_as in zip(ids, *readings[name], strict=True):
                if read_as and bounded.issuperset(read_as):
                    bounded.add(column)
    return bounded


def _ids(scan: Any) -> list[int]:
    node = scan
    while "column_list" not in node.DESCRIPTOR.fields_by_name:
        node = node.parent
    return [column.column_id for column in node.column_list]


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for field, value in node.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                yield from _nodes(part)


def _bounded(statement: Any) -> Iterator[int]:
    """Ids of columns that are compared with a constant where every row has to pass: in a WHERE, or the ON of an inner join."""
    for node in _nodes(statement):
        if isinstance(node, tree.ResolvedFilterScanProto):
            yield from _compared(node.filter_expr)
        elif isinstance(node, tree.ResolvedJoinScanProto):
            is_inner = node.join_type == enums.ResolvedJoinScanEnums.INNER
            yield from _compared(node.join_expr) if is_inner and node.HasField("join_expr") else ()


def _compared(condition: Any) -> Iterator[int]:
    call = inner(condition)
    if not isinstance(call, tree.ResolvedFunctionCallProto):
        return
    name, arguments = call.parent.function.name, [inner(each) for each in call.parent.argument_list]
    if name == "ZetaSQL:$and":
        for each in call.parent.argument_list:
            yield from _compared(each)
    elif name in _COMPARISONS:
        columns = [each.column.column_id for each in arguments if isinstance(each, tree.ResolvedColumnRefProto)]
        others = [each for each in arguments if not isinstance(each, tree.ResolvedColumnRefProto)]
        if columns and others and all(_is_constant(each) for each in others):
            yield from columns


def _is_constant(expression: Any) -> bool:
    reads = (tree.ResolvedColumnRefProto, tree.ResolvedSubqueryExprProto)
    return not any(isinstance(node, reads) for node in _nodes(expression))


def _inlined(node: Node, views: Mapping[str, Node]) -> str:
    """A statement with the views that it reads, and those that these read, in their place."""

    def put(found: re.Match[str]) -> str:
        view = views.get(".".join(found.groups()))
        return f"({_inlined(view, views)})" if view else found[0]

    return _NAMED.sub(put, node.sql)


def _partitions(compiled: Compiled) -> dict[str, str]:
    by_event = {stream: str(stream.created) for stream in STREAMS if stream.reads == "horizon"}
    raw = {f"tieout.{'.'.join(stream.asset_key)}": by_event.get(stream, "read_at") for stream in (*STREAMS, *EVIDENCE)}
    return raw | {
        node.relation: node.settings["partition_by"]["field"]
        for node in compiled.first
        if node.settings.get("partition_by")
    }


def _sizes(warehouse: Path, session: GoogleSQL) -> dict[str, dict[str, float]]:
    """Bytes by column of every table that DuckDB has."""
    sizes: dict[str, dict[str, float]] = {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for name, columns in session.known.items():
            _, dataset, table = name.split(".")
            listed = ", ".join(
                f"{_SIZES[kind]} * count({column})" if kind in _SIZES else f"sum(2 + strlen({column}::varchar))"
                for column, kind in columns.items()
            )
            row = connection.execute(f"select {listed} from {dataset}.{table}").fetchone()
            sizes[name] = {column: float(size or 0) for column, size in zip(columns, row or (), strict=True)}
    return sizes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bigquery.pruning", description=__doc__)
    parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tieout-pruning-") as name:
        folder = Path(name)
        warehouse = build_world(folder / "world").first.warehouse
        with bigquery(folder / "bigquery") as project:
            compiled = compile_twice(project, "--vars", json.dumps({"usage_bounds": _TOUCHED}))
        session = GoogleSQL()
        for table, columns in raw_tables().items():
            session.know(table, columns)
        for node in compiled.first:
            if node.kind == "seed":
                session.know(node.relation, seed_columns(node))
            elif node.kind == "model":
                session.know(node.relation, dict(session.analyse(node.sql).columns))
        views = {node.relation: node for node in compiled.later if node.settings["materialized"] == "view"}
        built = [node for node in compiled.later if node.kind == "model" and node.relation not in views]
        partitions = _partitions(compiled)
        read = {node.name: scans(session, _inlined(node, views), partitions) for node in built}
        sizes = _sizes(warehouse, session)
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            ((days,),) = connection.execute("select count(distinct usage_date) from marts.fct_usage_daily").fetchall()
    return _reported(read, sizes, days)


def _reported(read: Mapping[str, list[Scan]], sizes: Mapping[str, Mapping[str, float]], days: int) -> int:
    touched = len(_TOUCHED) / days
    rows: list[dict[str, str | float]] = []
    whole = defaultdict[str, set[str]](set)
    totals = dict.fromkeys(_HISTORIES, 0.0)
    events = dict(totals)
    for model, found in sorted(read.items()):
        # A column that is read more than once in a statement is billed once.
        columns: dict[tuple[str, bool], set[str]] = defaultdict(set)
        for scan in found:
            columns[scan.table, scan.is_pruned] |= scan.columns
        by_history = dict.fromkeys(_HISTORIES, 0.0)
        for (table, is_pruned), names in columns.items():
            size = sum(sizes[table][each] for each in names)
            for history in _HISTORIES:
                read_bytes = size * (touched if is_pruned else history)
                by_history[history] += read_bytes
                if table.endswith("raw_app.usage_events"):
                    events[history] += read_bytes
            if not is_pruned:
                whole[table.split(".")[1]].add(model)
        for history in _HISTORIES:
            totals[history] += by_history[history]
        if any(scan.table.endswith("raw_app.usage_events") for scan in found):
            rows.append({"model": model, **{f"MB at {each}x": by_history[each] / 1e6 for each in _HISTORIES}})
    rows.append({"model": "of usage events alone", **{f"MB at {each}x": events[each] / 1e6 for each in _HISTORIES}})
    rows.append({"model": f"all {len(read)} models", **{f"MB at {each}x": totals[each] / 1e6 for each in _HISTORIES}})
    for dataset, models in sorted(whole.items()):
        why = next(why for beginning, why in WHY.items() if dataset.startswith(beginning))
        sys.stdout.write(f"read whole, {dataset}, by {len(models)} models: {why}\n")
    missed = sorted(
        model
        for model, found in read.items()
        if any(scan.table.endswith("raw_app.usage_events") and not scan.is_pruned for scan in found)
    )
    growth = max(later / earlier for earlier, later in zip(events.values(), list(events.values())[1:], strict=False))
    return report(
        "bigquery_pruning",
        f"{days} days of history, of which a run finds news of {len(_TOUCHED)}",
        rows,
        [
            Target("bytes of usage events a run for ten times the history", growth, "x", at_most=1.1),
            Target(f"models read all usage events ({', '.join(missed) or 'none'})", len(missed), "", at_most=0),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
