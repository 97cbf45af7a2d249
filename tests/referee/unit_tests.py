"""dbt's unit tests, run by the real adapter against an endpoint behind which GoogleSQL evaluates what it is sent."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.referee.analysis import Objection
from tests.referee.compiled import Project
from tests.referee.googlesql import Columns, GoogleSQL


@dataclass(frozen=True)
class UnitTests:
    """How many ran, and what is wrong with those that did not pass."""

    ran: int
    objections: tuple[Objection, ...]


def run_unit_tests(project: Project, session: GoogleSQL, *select: str) -> UnitTests:
    """All, or those of the selection. The session has to know the models' tables; the endpoint shows them to dbt."""
    tables: dict[str, dict[str, Columns]] = {}
    for name, columns in session.known.items():
        _, dataset, table = name.split(".")
        tables.setdefault(dataset, {})[table] = columns
    project.endpoint.tables, project.endpoint.session = tables, session
    run = project.dbt("test", "--quiet", "--select", *(select or ("test_type:unit",)))
    project.endpoint.session = None
    results = json.loads((project.target / "run_results.json").read_text())["results"]
    assert results, run.stdout[-3000:] + run.stderr[-3000:]
    wrong = [result for result in results if result["status"] != "pass"]
    return UnitTests(len(results), tuple(Objection(result["unique_id"], str(result["message"])) for result in wrong))
