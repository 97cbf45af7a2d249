from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest
from rich.console import Console

from sandbox import answer_key
from sandbox.answer_key import Difference, Effect, Figures, Place, Verdict, compare, render

JULY = Place("acct_0001", "USD", "2026-07")
AUGUST = Place("acct_0001", "USD", "2026-08")


def figures(*amounts: tuple[str, Place, str]) -> Figures:
    return {(figure, place): Decimal(amount) for figure, place, amount in amounts}


def effect(figures: str, place: Place, amount: str) -> Effect:
    return Effect(frozenset(figures.split("+")), place, Decimal(amount))


TOLD = {"usage", "discount"}
TRUTH = figures(("usage", JULY, "10.00"), ("discount", JULY, "-1.00"), ("usage", AUGUST, "20.00"))


def test_equal_figures_are_all_compared_and_none_is_wrong() -> None:
    assert compare("marts", TOLD, TRUTH, TRUTH, []) == Verdict(3, 0, ())


def test_a_figure_of_a_month_that_one_side_lacks_is_compared_with_nothing() -> None:
    made_up = {**TRUTH, ("discount", AUGUST): Decimal("0.01")}
    (wrong,) = compare("marts", TOLD, TRUTH, made_up, []).wrong
    assert wrong == Difference("marts", "discount", AUGUST, Decimal(0), Decimal("0.01"), Decimal(0))


def test_a_figure_that_a_side_does_not_tell_at_all_is_not_asked_of_it() -> None:
    assert compare("journal", {"usage"}, TRUTH, figures(("usage", JULY, "10"), ("usage", AUGUST, "20")), []) == Verdict(
        2, 0, ()
    )


def test_a_figure_that_a_side_should_tell_and_is_silent_about_is_wrong() -> None:
    silent = {key: amount for key, amount in TRUTH.items() if key[0] != "discount"}
    (wrong,) = compare("marts", TOLD, TRUTH, silent, []).wrong
    assert wrong.figure == "discount"


def test_the_last_decimal_counts() -> None:
    (wrong,) = compare("marts", TOLD, TRUTH, {**TRUTH, ("usage", JULY): Decimal("10.000000001")}, []).wrong
    assert (wrong.figure, wrong.place) == ("usage", JULY)


@pytest.mark.parametrize(("said", "is_right"), [("9.50", True), ("9.51", False), ("10.00", False)])
def test_a_break_explains_its_own_amount_and_not_a_cent_more_or_less(said: str, is_right: bool) -> None:
    verdict = compare("marts", TOLD, TRUTH, {**TRUTH, ("usage", JULY): Decimal(said)}, [effect("usage", JULY, "0.50")])
    assert (not verdict.wrong) == is_right
    assert verdict.explained == is_right


def test_a_break_explains_nothing_of_another_month_figure_or_currency() -> None:
    short = {**TRUTH, ("usage", JULY): Decimal("9.50")}
    for elsewhere in (effect("usage", AUGUST, "0.50"), effect("discount", JULY, "0.50")):
        assert len(compare("marts", TOLD, TRUTH, short, [elsewhere]).wrong) == 2


def test_of_figures_that_a_break_only_knows_together_their_sum_must_be_right() -> None:
    together = [effect("usage+discount", JULY, "0.75")]
    said = {**TRUTH, ("usage", JULY): Decimal("9.00"), ("discount", JULY): Decimal("-0.75")}
    assert compare("marts", TOLD, TRUTH, said, together) == Verdict(2, 1, ())
    (wrong,) = compare("marts", TOLD, TRUTH, {**said, ("discount", JULY): Decimal("-0.74")}, together).wrong
    assert wrong.figure == "discount+usage"


def test_the_table_names_figure_customer_month_truth_mart_and_what_is_explained() -> None:
    console = Console(width=140, file=io.StringIO(), record=True)
    said = {**TRUTH, ("usage", JULY): Decimal("9.51")}
    wrong = compare("marts", TOLD, TRUTH, said, [effect("usage", JULY, "0.50")]).wrong
    render([("seed 7", each) for each in wrong], console)
    (row,) = [line for line in console.export_text().splitlines() if "seed 7" in line]
    assert " ".join(row.split()) == "seed 7 marts usage acct_0001 2026-07 USD 10 9.51 0.5"


@pytest.mark.parametrize(("said", "code"), [("10.00", 0), ("9.99", 1)])
def test_the_command_ends_with_one_line_and_exits_non_zero_when_it_falls_short(
    said: str, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def worlds(*_: object) -> Iterator[tuple[str, Verdict]]:
        for seed in (1, 2):
            yield f"seed {seed}, none", compare("marts", TOLD, TRUTH, {**TRUTH, ("usage", JULY): Decimal(said)}, [])

    monkeypatch.setattr(answer_key, "over_worlds", worlds)
    monkeypatch.setattr(sys, "argv", ["answer_key"])
    assert answer_key.main() == code
    *_, summary = capfd.readouterr().out.splitlines()
    equal = 6 - 2 * code
    assert summary == (
        f"answer-key: worlds: 2, {equal} of 6 figures of a customer's month equal, 0 of them after breaks (target: all)"
    )
