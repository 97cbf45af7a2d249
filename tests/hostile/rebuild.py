"""The models again, over evidence that changed: only what the change touches, in a transaction that is taken back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from hashlib import md5
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from benchmarks.warehouse import dbt
from ingestion.streams import EVIDENCE, STREAMS, Stream, stream_named
from tests.hostile.company import parsed

Change = Callable[[duckdb.DuckDBPyConnection], None]

_LOOKED_UP = stream_named("orb.events")
_REGISTER = """
select
    break_id, comparison, match_key, customer_id, left_ref, right_ref, status, cause, period, currency, evidence, left_amount,
    right_amount, difference
from reconciliation.fct_breaks
where is_open
order by break_id
"""


@dataclass(frozen=True)
class Break:
    """An open row of the register."""

    break_id: str
    comparison: str
    match_key: str
    customer_id: str | None
    left_ref: str | None
    right_ref: str | None
    status: str
    cause: str
    period: str | None
    currency: str
    evidence: str
    left_amount: Decimal
    right_amount: Decimal
    difference: Decimal


@dataclass(frozen=True)
class Model:
    node: str
    relation: str
    is_view: bool
    statement: str
    inputs: frozenset[str]


class Rebuild(AbstractContextManager["Rebuild"]):
    """A copy of a warehouse in `folder`, whose raw tables can be changed. `orb_events`: what Orb answers when it is asked for an
    event, one JSON object a line."""

    def __init__(self, warehouse: Path, folder: Path, orb_events: Path) -> None:
        self._folder, self._file = folder, folder / "base" / warehouse.name
        self._file.parent.mkdir(parents=True)
        shutil.copyfile(warehouse, self._file)
        with duckdb.connect(str(self._file)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for stream in (*STREAMS, *EVIDENCE):
                _materialize(connection, stream)
            _keep_answers(connection, orb_events)
        target = folder / "target"
        only_models = ("--select", "resource_type:model", "--indirect-selection", "empty")
        dbt(self._file, target, "compile", "--full-refresh", *only_models)
        manifest = json.loads((target / "manifest.json").read_text())
        self._models = models(manifest, "fct_breaks")
        self._asking = models(manifest, str(_LOOKED_UP.asked_by).split(".")[1])
        self.connection = duckdb.connect(str(self._file))
        self.connection.execute("set TimeZone = 'UTC'")
        for model in self._models:
            # A view would be parsed again by each model that reads it, and would hide that nothing of it changed.
            if model.is_view:
                self.connection.execute(f"drop view {model.relation}")
                self.connection.execute(f"create table {model.relation} as {model.statement}")
        self._base = {model.node: self._fingerprint(model) for model in self._models}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def register(self) -> list[Break]:
        return [Break(*row) for row in self.connection.execute(_REGISTER).fetchall()]

    def after(self, stream: str, change: Change) -> list[Break]:
        """The register that a change of a stream's raw table leads to. Nothing of it stays."""
        self.connection.execute("begin")
        try:
            self._rebuild(stream, change)
            return self.register()
        finally:
            self.connection.execute("rollback")

    def in_full(self, stream: str, change: Change) -> list[Break]:
        """The same by dbt itself, all models over the changed evidence, in a copy."""
        self.connection.execute("begin")
        try:
            self._rebuild(stream, change)
            looked_up = self.connection.sql(f"select * from {_table(_LOOKED_UP)}").to_arrow_table()
        finally:
            self.connection.execute("rollback")
        self.connection.execute("checkpoint")
        copy = self._folder / "full" / self._file.name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(self._file, copy)
        with duckdb.connect(str(copy)) as connection:
            connection.execute("set TimeZone = 'UTC'")
            change(connection)
            connection.execute(f"delete from {_table(_LOOKED_UP)}")
            connection.register("looked_up", looked_up)
            connection.execute(f"insert into {_table(_LOOKED_UP)} by name select * from looked_up")
        dbt(
            copy,
            self._folder / "target-full",
            "build",
            "--full-refresh",
            "--exclude-resource-type",
            "test",
            "unit_test",
        )
        with duckdb.connect(str(copy), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return [Break(*row) for row in connection.execute(_REGISTER).fetchall()]

    def _rebuild(self, stream: str, change: Change) -> None:
        change(self.connection)
        changed = {_source(stream_named(stream))}
        self._build(self._asking, changed)
        if self._look_up():
            changed.add(_source(_LOOKED_UP))
        self._build(self._models, changed)

    def _build(self, models: Iterable[Model], changed: set[str]) -> None:
        """Adds what came out different. What was built already and has no other input since comes out the same again."""
        for model in models:
            if not model.inputs & changed:
                continue
            self.connection.execute(f"create or replace table {model.relation} as {model.statement}")
            if self._fingerprint(model) != self._base[model.node]:
                changed.add(model.node)

    def _look_up(self) -> bool:
        """As the job does between two builds: Orb is asked for the events of the days that differ. Whether it knew any."""
        ((found,),) = self.connection.execute(
            f"""
            insert into {_table(_LOOKED_UP)} by name
            select answers.*
            from orb_answers as answers
            semi join {_LOOKED_UP.asked_by} as asked on answers.object_id = asked.event_id
            anti join {_table(_LOOKED_UP)} as landed on answers.object_id = landed.object_id
            """
        ).fetchall()
        return bool(found)

    def _fingerprint(self, model: Model) -> tuple[Any, ...]:
        (found,) = self.connection.execute(f"select count(*), sum(hash(t)) from {model.relation} as t").fetchall()
        return found


def _materialize(connection: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    table = _table(stream)
    connection.execute(f"create table landed as select * from {table}")
    connection.execute(f"drop view {table}")
    connection.execute(f"create table {table} as select * from landed")
    connection.execute("drop table landed")


def _keep_answers(connection: duckdb.DuckDBPyConnection, orb_events: Path) -> None:
    connection.execute(f"create table orb_answers as select * from {_table(_LOOKED_UP)} where false")
    # A table of answers that landed with everything else, so that nothing is known later than it was.
    connection.execute(
        "create temp table told as select unnest(?) as object_id, unnest(?) as payload, unnest(?) as payload_hash",
        [list(column) for column in zip(*map(_answer, orb_events.read_text().splitlines()), strict=True)],
    )
    connection.execute(
        """
        insert into orb_answers by name
        select told.*, false as is_deleted, 'lookup' as origin, 'looked-up' as batch_id, usage.read_at
        from told
        cross join (select max(read_at) as read_at from raw_orb.subscription_usage) as usage
        """
    )


def _answer(line: str) -> tuple[str, str, str]:
    event = parsed(line)
    text = json.dumps(event, separators=(",", ":"))
    return event["id"], text, md5(text.encode()).hexdigest()


def models(manifest: Mapping[str, Any], needed_for: str = "") -> Sequence[Model]:
    """In the order in which they build: all, or the model of a name after all that it is made of."""
    found = {node: about for node, about in manifest["nodes"].items() if about["resource_type"] == "model"}
    ordered: dict[str, Model] = {}

    def add(node: str) -> None:
        if node in found and node not in ordered:
            about = found[node]
            inputs = about["depends_on"]["nodes"]
            for needed in inputs:
                add(needed)
            is_view = about["config"]["materialized"] == "view"
            ordered[node] = Model(node, about["relation_name"], is_view, about["compiled_code"], frozenset(inputs))

    for node in found:
        if node.endswith(needed_for and f".{needed_for}"):
            add(node)
    return list(ordered.values())


def _source(stream: Stream) -> str:
    schema, name = stream.asset_key
    return f"source.tieout.{schema}.{name}"


def _table(stream: Stream) -> str:
    return ".".join(stream.asset_key)
