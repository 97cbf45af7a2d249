from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.hostile import evidence
from tests.hostile.evidence import Evidence, Field, Mutation, Unlisted
from tests.hostile.mutation import EXACT, INEXACT, SEVERAL, UNSEEN, mutate, verdict
from tests.hostile.rebuild import Break, Rebuild
from tests.worlds import Run


@pytest.fixture(scope="module")
def rebuilt(clean_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rebuild]:
    folder = tmp_path_factory.mktemp("mutation") / "rebuild"
    with Rebuild(clean_run.warehouse, folder, clean_run.dataset / "orb" / "events.jsonl") as rebuild:
        yield rebuild


def test_an_amount_that_is_off_by_a_minor_unit_is_named_with_it_and_a_full_rebuild_agrees(rebuilt: Rebuild) -> None:
    outcome = mutate(rebuilt, 4, sampled=1, seed=11, only="stripe.invoices amount_")
    assert [found.how for found in outcome.verdicts if found.how not in (EXACT, SEVERAL)] == []
    assert (len(outcome.verdicts), outcome.sampled, outcome.disagreements) == (4, 1, ())


def test_usage_that_changed_is_looked_up_in_orb_event_by_event(rebuilt: Rebuild) -> None:
    (found,) = mutate(rebuilt, 1, sampled=0, seed=7, only="app.usage_events input_tokens").verdicts
    assert "event_quantity_differs" in {named.cause for named in found.breaks}
    assert found.how in (EXACT, SEVERAL)


def test_nothing_of_a_mutation_stays(rebuilt: Rebuild) -> None:
    before = rebuilt.register()
    mutate(rebuilt, 1, sampled=0, seed=3, only="stripe.charges object: dropped")
    assert rebuilt.register() == before


def test_a_field_that_nobody_has_looked_at_stops_the_harness(
    rebuilt: Rebuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = tmp_path / "money_fields.yml"
    listed = (Path(evidence.__file__).parent / "money_fields.yml").read_text()
    forgotten.write_text(listed.replace("    trace_id.value", "    x").replace('"trace_id.*"', "nothing"))
    monkeypatch.setattr(evidence, "_LISTS", forgotten)
    with pytest.raises(
        Unlisted, match=r"does not know stripe\.payouts trace_id\.status, stripe\.payouts trace_id\.value"
    ):
        Evidence(rebuilt.connection)


def test_every_kind_of_change_is_tried(rebuilt: Rebuild) -> None:
    kinds = {field.kind for field in Evidence(rebuilt.connection).fields}
    assert {"minor", "major", "quantity", "currency", "reference", "date", "status", "dropped", "doubled"} <= kinds


_MUTATION = Mutation(
    Field("stripe.charges", "amount", "minor"),
    "ch_1",
    {},
    None,
    None,
    frozenset({"ch_1"}),
    frozenset({Decimal("0.01")}),
    "",
)
_BREAK = Break(
    "b", "collected__x", "pi_1", None, "pi_1", "ch_1", "break", "unexplained", "2026-08", "USD", "{}",
    Decimal(10), Decimal("9.99"), Decimal("0.01"),
)  # fmt: skip


def test_a_break_counts_only_with_the_object_and_the_amount() -> None:
    other_amount, other_object = replace(_BREAK, difference=Decimal(10)), replace(_BREAK, right_ref="ch_2")
    named_in_evidence = replace(other_object, evidence='{"latest_charge_id": "ch_1"}')
    assert verdict(_MUTATION, []).how == UNSEEN
    assert verdict(_MUTATION, [other_amount]).how == INEXACT
    assert verdict(_MUTATION, [other_object]).how == INEXACT
    assert verdict(_MUTATION, [_BREAK]).how == EXACT
    assert verdict(_MUTATION, [named_in_evidence]).how == EXACT
    assert verdict(_MUTATION, [other_amount, _BREAK]).how == SEVERAL
