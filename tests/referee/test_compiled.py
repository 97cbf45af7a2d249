"""The project, compiled for BigQuery with nothing behind it, before the referee; `make referee` evaluates all of it besides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import pytest

from tests.dbt_project.test_macros import CASES, JSON_CASES
from tests.referee.analysis import Objection, analyse
from tests.referee.compiled import Compiled, Project, bigquery, compile_twice
from tests.referee.evaluation import BY_HAND, NAMED_ANEW
from tests.referee.googlesql import GoogleSQL
from tests.referee.unit_tests import run_unit_tests


@dataclass(frozen=True)
class Refereed:
    """The project, what dbt made of it, and what the referee says of that."""

    project: Project
    compiled: Compiled
    session: GoogleSQL
    objections: list[Objection]


@pytest.fixture(scope="module")
def refereed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refereed]:
    with bigquery(tmp_path_factory.mktemp("bigquery")) as project:
        compiled, session = compile_twice(project), GoogleSQL()
        yield Refereed(project, compiled, session, analyse(session, compiled.statements()))


def test_every_model_and_test_compiles_for_bigquery(refereed: Refereed) -> None:
    nodes = [node for node in refereed.compiled.first if node.kind != "seed"]
    assert len(nodes) > 200
    assert [node.name for node in nodes if not node.sql] == []


def test_google_s_analyser_takes_every_statement_and_gives_the_contract_s_columns(refereed: Refereed) -> None:
    assert [str(objection) for objection in refereed.objections] == []


def test_a_later_build_of_an_incremental_model_reads_what_was_there(refereed: Refereed) -> None:
    later = {node.unique_id: node for node in refereed.compiled.later}
    incremental = [node for node in refereed.compiled.first if node.is_incremental]
    assert incremental
    for node in incremental:
        assert node.relation not in refereed.session.tables_in(node.sql)
        assert node.relation in refereed.session.tables_in(later[node.unique_id].sql)


def test_what_the_evaluator_cannot_do_is_on_the_list_and_nothing_else_is(refereed: Refereed) -> None:
    incremental = [node for node in refereed.compiled.first if node.is_incremental]
    assert {node.settings["incremental_strategy"] for node in incremental} == set(BY_HAND)
    made = {name for name in NAMED_ANEW for node in refereed.compiled.first if f" as {name}" in node.sql}
    assert made == set(NAMED_ANEW)


def test_the_macros_say_the_same_on_bigquery(refereed: Refereed) -> None:
    """The cases of `tests/dbt_project/test_macros.py`, whose answers are DuckDB's, without the zeros that only DuckDB writes."""
    cases = {name: ("{}", *case) for name, case in CASES.items()} | JSON_CASES
    # A document is cast to text on DuckDB only.
    document_of_null = "a document of null is null"
    cases[document_of_null] = (cases[document_of_null][0], "json_text(json_document('document', '$.a'), '$')", None)
    selects = (
        f"select '{name}' as name, cast({{{{ {jinja} }}}} as string) as found from (select json '{document}' as document)"
        for name, (document, jinja, _) in cases.items()
    )
    answered = refereed.session.evaluate(refereed.project.inline(" union all ".join(selects)), {})
    expected = {name: answer for name, (_, _, answer) in cases.items()}
    assert {name: _plain(found) for name, found in answered.rows} == {
        name: _plain(answer) for name, answer in expected.items()
    }


def _plain(text: str | None) -> str | None:
    try:
        return f"{Decimal(text).normalize():f}" if text else text
    except InvalidOperation:
        return text


def test_unit_tests_pass_on_bigquery(refereed: Refereed) -> None:
    """A few by the real adapter: one that compares, one of JSON, one of days. `make referee` runs them all."""
    some = ("rec_settled__payouts_vs_transactions", "int_rating__price_steps", "dim_exchange_rates")
    found = run_unit_tests(refereed.project, refereed.session, *(f"{model},test_type:unit" for model in some))
    assert found.ran >= len(some)
    assert [str(objection) for objection in found.objections] == []
