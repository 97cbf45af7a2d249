"""`make referee`: the whole project before Google's implementation of its language. Ends with one line; exits 1 when short."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.referee.analysis import Objection, analyse
from tests.referee.compiled import bigquery, compile_twice
from tests.referee.evaluation import BY_HAND, NAMED_ANEW, Verdict, evaluate
from tests.referee.googlesql import GoogleSQL
from tests.referee.unit_tests import run_unit_tests
from tests.referee.world import build_world


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tieout-referee-") as name:
        folder = Path(name)
        _say("A small company with every defect is landed, and built on DuckDB, twice")
        world = build_world(folder / "world")
        with bigquery(folder / "bigquery") as project:
            _say("The project is compiled for BigQuery, for a first build and for a later one")
            compiled = compile_twice(project)
            statements, session = list(compiled.statements()), GoogleSQL()
            _say(f"GoogleSQL analyses {len(statements)} statements")
            objections = analyse(session, statements)
            _list(objections)
            _say("GoogleSQL evaluates every model on the rows that DuckDB built it from")
            verdicts = [_told(verdict) for verdict in evaluate(session, compiled, world)]
            _say("dbt runs its unit tests, GoogleSQL evaluates them")
            unit_tests = run_unit_tests(project, session)
            _list(unit_tests.objections)
    for what, reason in {**NAMED_ANEW, **BY_HAND}.items():
        _say(f"  on the list: {what}: {reason}")
    models = sum(node.kind == "model" for node in compiled.first)
    skipped = models - sum(not verdict.is_later for verdict in verdicts)
    different = sum(verdict.difference is not None for verdict in verdicts)
    rows, later = sum(verdict.rows for verdict in verdicts), sum(verdict.is_later for verdict in verdicts)
    _say(
        f"referee: {len(statements)} statements analysed, {len(objections)} objections (target 0); {models} models and {later} "
        f"later builds evaluated, {rows:,} rows, {different} differ from DuckDB (target 0), {skipped} skipped (target 0); "
        f"{unit_tests.ran} unit tests, {len(unit_tests.objections)} fail (target 0); {len(NAMED_ANEW) + len(BY_HAND)} on the "
        f"list; {time.monotonic() - began:.0f} s"
    )
    return 1 if objections or different or skipped or unit_tests.objections else 0


def _told(verdict: Verdict) -> Verdict:
    build = "later" if verdict.is_later else "first"
    said = "same" if verdict.difference is None else str(verdict.difference)
    _say(f"  {verdict.model} ({build} build), {verdict.rows} rows, {verdict.seconds:.1f} s: {said}")
    return verdict


def _list(objections: Iterable[Objection]) -> None:
    for objection in objections:
        _say(f"  {objection}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
