"""The project as dbt compiles it for BigQuery: with no table there, which is a first build, and with every incremental model's
table there, which is a later one. Behind it stands an endpoint that knows which tables there are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.referee.endpoint import Endpoint, serve
from tests.referee.values import canonical_type

ROOT = Path(__file__).parents[2]
_NOW = re.compile(r"(?<=timestamp ')\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00(?=')")
_NOW_IN_DUCKDB = re.compile(r"(?<=timestamptz ')\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00(?=')")


@dataclass(frozen=True)
class Node:
    """A model, seed, snapshot or test. `relation` is `project.dataset.table`, `declared` the type by column that its yml says.

    `settings` is dbt's config: materialized, partition_by, cluster_by, incremental_strategy, unique_key, column_types.
    """

    unique_id: str
    kind: str
    name: str
    relation: str
    sql: str
    declared: Mapping[str, str]
    is_under_contract: bool
    settings: Mapping[str, Any]

    @property
    def is_incremental(self) -> bool:
        return bool(self.settings["materialized"] == "incremental")

    def at(self, moment: str) -> Node:
        """As compiled at another moment: a build's "now" stands in what is compiled."""
        return replace(self, sql=_NOW.sub(moment, self.sql))


@dataclass(frozen=True)
class Project:
    """dbt, whose BigQuery is the endpoint. What it writes stands in `target`."""

    endpoint: Endpoint
    target: Path

    def dbt(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        written = ["--target-path", str(self.target), "--log-path", str(self.target)]
        where = ["--target", "bigquery", "--project-dir", str(ROOT), "--profiles-dir", str(ROOT), *written]
        return subprocess.run(
            [Path(sys.executable).with_name("dbt"), "--no-use-colors", verb, *arguments, *where],
            env=os.environ
            | {
                "BIGQUERY_METHOD": "oauth-secrets",
                "BIGQUERY_TOKEN": "none",
                "BIGQUERY_ENDPOINT": self.endpoint.url,
                "DO_NOT_TRACK": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def compile(self, *arguments: str) -> tuple[Node, ...]:
        """Every node, each after those that it reads. AssertionError: it does not compile, or asked the warehouse something."""
        run = self.dbt("compile", "--quiet", *arguments)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        assert not self.endpoint.refused, self.endpoint.refused
        return _in_order(json.loads((self.target / "manifest.json").read_text())["nodes"])

    def inline(self, template: str) -> str:
        """A query of its own, compiled."""
        run = self.dbt("compile", "--quiet", "--inline", template)
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        return run.stdout


@dataclass(frozen=True)
class Compiled:
    """The same nodes twice."""

    first: tuple[Node, ...]
    later: tuple[Node, ...]

    def statements(self) -> Iterator[Node]:
        """Every statement once: of a later build, what reads otherwise than in the first."""
        known = {node.unique_id: node.at("").sql for node in self.first}
        yield from self.first
        yield from (node for node in self.later if node.at("").sql != known[node.unique_id])


@contextmanager
def bigquery(target: Path) -> Iterator[Project]:
    """The project with nothing behind it."""
    with serve(Endpoint()) as endpoint:
        yield Project(endpoint, target)


def compile_twice(project: Project, *later: str) -> Compiled:
    """As for a first build and as for a later one, which has these arguments."""
    first = project.compile()
    there: dict[str, dict[str, Mapping[str, str]]] = {}
    for node in first:
        if node.is_incremental or node.kind == "snapshot":
            _, dataset, table = node.relation.split(".")
            there.setdefault(dataset, {})[table] = {}
    project.endpoint.tables = there
    return Compiled(first, project.compile(*later))


def moment_of(duckdb_target: Path) -> str:
    """The "now" of a build for DuckDB whose dbt wrote to this directory."""
    manifest = json.loads((duckdb_target / "manifest.json").read_text())
    moments = {
        found
        for node in manifest["nodes"].values()
        for found in _NOW_IN_DUCKDB.findall(node.get("compiled_code") or "")
    }
    (moment,) = moments
    return str(moment)


def _in_order(nodes: Mapping[str, Any]) -> tuple[Node, ...]:
    found: dict[str, Node] = {}

    def visit(unique_id: str) -> None:
        if unique_id in found or unique_id not in nodes:
            return
        for each in nodes[unique_id]["depends_on"].get("nodes", ()):
            visit(each)
        found[unique_id] = _node(nodes[unique_id])

    for unique_id in nodes:
        visit(unique_id)
    return tuple(found.values())


def _node(node: Mapping[str, Any]) -> Node:
    columns: Sequence[Mapping[str, Any]] = list(node["columns"].values())
    return Node(
        unique_id=node["unique_id"],
        kind=node["resource_type"],
        name=node["name"],
        relation=f"{node['database']}.{node['schema']}.{node.get('alias') or node['name']}",
        sql=node.get("compiled_code") or "",
        declared={column["name"]: canonical_type(column["data_type"]) for column in columns if column.get("data_type")},
        is_under_contract=bool(node["config"].get("contract", {}).get("enforced")),
        settings=node["config"],
    )
