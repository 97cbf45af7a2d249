"""Every model, evaluated by GoogleSQL's reference implementation on the rows that DuckDB built it from, against what it built.

A model is given DuckDB's rows of what it reads, so that a difference is told of the model that makes it and of no other. All of
them being the same, so is the chain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.referee.comparison import Difference, compare
from tests.referee.compiled import Compiled, Node
from tests.referee.googlesql import GoogleSQL, GoogleSQLError, Table
from tests.referee.world import Build, World

NAMED_ANEW = {
    "price_key": "md5 of a price's JSON as text, which each engine writes in its own order; compared is which prices share a key",
    "rule_version": "md5 of a comparison's rules as they are spelled for the engine; compared is that all its rows have one",
}
"""Columns whose value is each warehouse's own, and why. Where a model makes them they are compared up to renaming, where it
carries them exactly."""

BY_HAND = {
    "insert_overwrite": "the evaluator has no partitions: a day that the query brings replaces the day that was there, in Python",
    "merge": "the evaluator has no MERGE: a row that the query brings replaces the row that had its key, in Python",
}
"""What BigQuery does with the rows of an incremental model's later build, why the evaluator can't, and what is done instead."""


@dataclass(frozen=True)
class Verdict:
    """What became of one model. `difference`: what is not as in DuckDB, or what the evaluator says instead of rows."""

    model: str
    is_later: bool
    rows: int
    seconds: float
    difference: Difference | GoogleSQLError | None


def evaluate(session: GoogleSQL, compiled: Compiled, world: World, only: Iterable[str] = ()) -> Iterator[Verdict]:
    """All models, or those of these names, of a first build; then the incremental ones of a later build.

    The session has to know their tables, as it does once it has analysed them.
    """
    wanted = set(only)
    models = [node for node in compiled.first if node.kind == "model" and (not wanted or node.name in wanted)]
    for model in models:
        yield judge(session, model, world.first)
    later = {node.unique_id: node for node in compiled.later}
    for model in models:
        if model.is_incremental:
            yield judge(session, later[model.unique_id], world.later, before=world.first)


def judge(session: GoogleSQL, model: Node, build: Build, before: Build | None = None) -> Verdict:
    """One model of a build; of a build after one `before`, the rows that it brings put into the table that was there."""
    started = time.monotonic()
    found = Table({}, ())
    difference: Difference | GoogleSQLError | None
    try:
        found, difference = _judged(session, model, build, before)
    except GoogleSQLError as error:
        difference = error
    return Verdict(model.name, before is not None, len(found.rows), time.monotonic() - started, difference)


def _judged(session: GoogleSQL, model: Node, build: Build, before: Build | None) -> tuple[Table, Difference | None]:
    read = {name: session.known[name] for name in session.tables_in(model.sql)}
    given = {
        name: (before if before and name == model.relation else build).rows(name, columns)
        for name, columns in read.items()
    }
    found = session.evaluate(model.at(build.moment).sql, given)
    if before:
        found = _replaced(model, before.rows(model.relation, found.columns), found)
    built = build.columns(model.relation)
    if set(built) != set(found.columns):
        return found, Difference(
            tuple(set(built) ^ set(found.columns)), len(found.rows), str(built), str([*found.columns])
        )
    anew = [name for name in NAMED_ANEW if name in found.columns and re.search(rf"\bas {name}\b", model.sql)]
    return found, compare(build.rows(model.relation, found.columns), found, anew)


def _replaced(model: Node, old: Table, new: Table) -> Table:
    """What BigQuery's strategy makes of the table that was there. KeyError: a strategy that is not in BY_HAND."""
    strategy = model.settings["incremental_strategy"]
    keys = {"insert_overwrite": [model.settings["partition_by"]["field"]] if model.settings.get("partition_by") else []}
    unique = model.settings.get("unique_key") or []
    keys["merge"] = [unique] if isinstance(unique, str) else unique
    at = [list(new.columns).index(name) for name in keys[strategy]]

    def key(row: Sequence[object]) -> tuple[object, ...]:
        return tuple(row[index] for index in at)

    brought = {key(row) for row in new.rows}
    kept = [row for row in old.rows if key(row) not in brought]
    return Table(new.columns, [*kept, *new.rows])
