"""The macro `reconcile` against its own description, followed word by word, on sides that hypothesis makes up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dbt_project.conftest import Dbt


@dataclass(frozen=True)
class Row:
    """One of a side: `key` is the other side's ref where it names one, `number` what both may have in common."""

    ref: str
    key: str | None
    number: int | None
    currency: str
    amount: int
    turn: int


Condition = Callable[[Row, Row], bool]
"""Of a left and a right row: whether they belong together. A null is equal to nothing."""


def by_key(left: Row, right: Row) -> bool:
    return right.key == left.ref


def by_number(left: Row, right: Row) -> bool:
    return left.number is not None and left.number == right.number


def by_number_and_currency(left: Row, right: Row) -> bool:
    return by_number(left, right) and left.currency == right.currency


# Per comparison, its passes as the macro gets them and as they are followed here: rule, kind, condition.
COMPARISONS: dict[str, tuple[str, Sequence[tuple[str, str, Condition]]]] = {
    "the condition names a ref": (
        """[
            {'rule': 'key', 'on': 'r.key = l.ref', 'nearest': 'r.turn'},
            {'rule': 'second_claim', 'kind': 'repeated', 'on': 'r.key = l.ref', 'nearest': 'r.turn'},
            {'rule': 'number', 'on': 'r.number = l.number', 'nearest': 'r.turn'},
        ]""",
        [("key", "one", by_key), ("second_claim", "repeated", by_key), ("number", "one", by_number)],
    ),
    "both sides may repeat the key": (
        """[
            {'rule': 'number', 'on': 'r.number = l.number and r.currency = l.currency', 'nearest': 'r.turn'},
            {'rule': 'number_alone', 'on': 'r.number = l.number', 'nearest': 'r.turn'},
        ]""",
        [("number", "one", by_number_and_currency), ("number_alone", "one", by_number)],
    ),
}

STATEMENT = """
with left_side as (select * from left_rows),
right_side as (select * from right_rows),
{{{{ reconcile(
    comparison='invented',
    passes={passes},
    causes=[],
    evidence={{'left_turn': 'cast(l.turn as string)', 'right_turn': 'cast(r.turn as string)'}},
) }}}}
"""

Group = tuple[str | None, str | None, str | None, Decimal, str, str | None]
"""match_rule, left_ref, right_ref, difference, status, cause"""


def described(lefts: Sequence[Row], rights: Sequence[Row], passes: Sequence[tuple[str, str, Condition]]) -> list[Group]:
    """What the macro's description says that belongs together."""
    free_lefts, free_rights, groups = list(lefts), list(rights), []
    for rule, kind, belong in passes:
        among = lefts if kind == "repeated" else free_lefts
        pairs = [(left, right) for left in among for right in free_rights if belong(left, right)]
        of_right = {right: min((a for a, b in pairs if b == right), key=lambda a: a.ref) for _, right in pairs}
        of_left = {left: min((b for a, b in pairs if a == left), key=lambda b: (b.turn, b.ref)) for left, _ in pairs}
        taken = [(left, right) for right, left in of_right.items() if kind == "repeated" or of_left[left] == right]
        for left, right in taken:
            own = 0 if kind == "repeated" else left.amount
            is_same = kind == "repeated" or left.currency == right.currency
            groups.append(judged(rule, left.ref, right.ref, own - right.amount if is_same else own))
        if kind != "repeated":
            free_lefts = [left for left in free_lefts if left not in {a for a, _ in taken}]
        free_rights = [right for right in free_rights if right not in {b for _, b in taken}]
    groups += [judged(None, left.ref, None, left.amount) for left in free_lefts]
    return groups + [judged(None, None, right.ref, -right.amount) for right in free_rights]


def judged(rule: str | None, left_ref: str | None, right_ref: str | None, difference: int) -> Group:
    verdict = ("break", "unexplained") if difference else ("matched", None)
    return (rule, left_ref, right_ref, Decimal(difference), *verdict)


@pytest.fixture(scope="module")
def compiled(dbt: Dbt) -> dict[str, str]:
    """The macro's SQL per comparison."""
    found = {}
    for name, (passes, _) in COMPARISONS.items():
        done = dbt.invoke(
            "compile", "--inline", STATEMENT.format(passes=passes), warehouse=dbt.target / "tieout.duckdb"
        )
        assert done.success, done.exception
        found[name] = done.result.results[0].node.compiled_code
    return found


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("attach ':memory:' as tieout; use tieout; create schema seeds; set TimeZone = 'UTC'")
        opened.execute(
            "create table seeds.reconciliation_tolerances (comparison varchar, tolerance decimal(38, 9), "
            "budget decimal(38, 9), window_days integer, expires_on date)"
        )
        for side in ("left_rows", "right_rows"):
            opened.execute(
                f"create table {side} (ref varchar, key varchar, number integer, currency varchar, "
                "amount decimal(38, 9), turn integer, customer_id varchar, period varchar)"
            )
        yield opened


def sides(prefix: str, other: str) -> st.SearchStrategy[list[Row]]:
    row = st.builds(
        Row,
        ref=st.sampled_from([f"{prefix}{n}" for n in range(6)]),
        key=st.none() | st.sampled_from([f"{other}{n}" for n in range(6)]),
        number=st.none() | st.integers(1, 3),
        currency=st.sampled_from(["USD", "EUR"]),
        amount=st.integers(0, 2),
        turn=st.integers(0, 2),
    )
    return st.lists(row, max_size=6, unique_by=lambda one: one.ref)


@pytest.mark.parametrize("name", COMPARISONS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lefts=sides("l", "r"), rights=sides("r", "l"))
def test_what_belongs_together_is_what_the_description_says(
    compiled: dict[str, str], connection: duckdb.DuckDBPyConnection, name: str, lefts: list[Row], rights: list[Row]
) -> None:
    for side, rows in (("left_rows", lefts), ("right_rows", rights)):
        connection.execute(f"delete from {side}")
        for row in rows:
            connection.execute(
                f"insert into {side} values (?, ?, ?, ?, ?, ?, 'acct_1', '2026-08')",
                [row.ref, row.key, row.number, row.currency, row.amount, row.turn],
            )
    found = connection.execute(
        f"select match_rule, left_ref, right_ref, difference, status, cause, evidence from ({compiled[name]})"
    ).fetchall()
    expected = described(lefts, rights, COMPARISONS[name][1])
    assert sorted((group[:6] for group in found), key=str) == sorted(expected, key=str)
    strongest = COMPARISONS[name][1][0][0]
    for rule, _, _, difference, _, _, evidence in found:
        assert (evidence == "{}") == (rule == strongest and not difference)
