"""Every statement of the project before GoogleSQL's analyser, in dependency order, against the schemas that it derives itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.referee.catalogue import raw_tables, seed_columns
from tests.referee.compiled import Node
from tests.referee.googlesql import Analysis, Columns, GoogleSQL, GoogleSQLError
from tests.referee.refusals import refusals

_PARTITION_TYPES = ("DATE", "TIMESTAMP", "DATETIME", "INT64")
_CLUSTER_TYPES = ("STRING", "INT64", "NUMERIC", "BIGNUMERIC", "DATE", "TIMESTAMP", "DATETIME", "BOOL")
_MOST_CLUSTER_COLUMNS = 4
_SNAPSHOT: Columns = {
    "dbt_scd_id": "STRING",
    "dbt_updated_at": "TIMESTAMP",
    "dbt_valid_from": "TIMESTAMP",
    "dbt_valid_to": "TIMESTAMP",
}


@dataclass(frozen=True)
class Objection:
    """What is wrong with a node, in a sentence."""

    node: str
    says: str

    def __str__(self) -> str:
        return f"{self.node}: {self.says}"


def analyse(
    session: GoogleSQL, statements: Iterable[Node], progress: Callable[[Node], None] = lambda _: None
) -> list[Objection]:
    """Objections to models, tests and snapshots, each after what it reads. What the session then knows are their tables."""
    found: list[Objection] = []
    for name, columns in raw_tables().items():
        session.know(name, columns)
    for node in statements:
        if node.kind == "seed":
            session.know(node.relation, seed_columns(node))
            continue
        progress(node)
        found += [Objection(node.name, says) for says in _objections(session, node)]
    return found


def _objections(session: GoogleSQL, node: Node) -> Iterator[str]:
    if not node.sql:
        yield "it has no compiled SQL"
        return
    try:
        analysis = session.analyse(node.sql)
    except GoogleSQLError as error:
        yield str(error)
        if node.kind == "model":
            session.know(node.relation, node.declared)  # what reads it is not blamed for it
        return
    yield from refusals(analysis)
    if node.kind != "test":
        yield from _of_columns(analysis)
        columns = dict(analysis.columns)
        session.know(node.relation, {**columns, **(_SNAPSHOT if node.kind == "snapshot" else {})})
        yield from _of_contract(node, columns)
        yield from _of_layout(node.settings, columns)


def _of_columns(analysis: Analysis) -> Iterator[str]:
    names = [name.lower() for name, _ in analysis.columns]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"column {name} comes out {names.count(name)} times"
    if any(not name or name.startswith("$") for name in names):
        yield "a column comes out without a name"


def _of_contract(node: Node, columns: Columns) -> Iterator[str]:
    for name, kind in node.declared.items():
        if name in columns and columns[name] != kind:
            yield f"column {name} is declared {kind}, the query gives {columns[name]}"
    if node.is_under_contract and set(node.declared) != set(columns):
        yield f"contract and query differ about the columns {', '.join(sorted(set(node.declared) ^ set(columns)))}"


def _of_layout(settings: Mapping[str, Any], columns: Columns) -> Iterator[str]:
    partition, clusters = settings.get("partition_by"), settings.get("cluster_by") or []
    if partition:
        kind = columns.get(partition["field"], "nothing")
        if kind not in _PARTITION_TYPES or kind.lower() != partition["data_type"]:
            yield f"it is partitioned by {partition['field']} as {partition['data_type']}, which is {kind}"
    if len(clusters) > _MOST_CLUSTER_COLUMNS:
        yield f"it is clustered by {len(clusters)} columns, {_MOST_CLUSTER_COLUMNS} is the most"
    for name in clusters:
        if columns.get(name) not in _CLUSTER_TYPES:
            yield f"it is clustered by {name}, which is {columns.get(name, 'nothing')}"
