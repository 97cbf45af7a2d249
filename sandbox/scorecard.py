"""Planted against named: did the job find every defect that was planted, exactly, and nothing else?

`python -m sandbox.scorecard --seed 1 --seeds 20 --defects all none` generates two companies of each of twenty seeds, runs the
production job over them and scores the results.
Besides the tests only this module and `sandbox/answer_key.py` read the answer key.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, Self, TypeVar

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.generate import generate

Result = TypeVar("Result")


@dataclass(frozen=True)
class Finding:
    """A defect as the answer key plants it and as the warehouse must name it: equal in every field, or not found.

    What was kept out has neither comparison, period nor references; what matched (two payouts in one deposit) is
    found when the comparison shows exactly that match.
    """

    cause: str
    comparison: str | None
    status: str
    match_key: str
    customer_id: str | None
    period: str | None
    currency: str | None
    left_ref: str | None
    right_ref: str | None
    difference: Decimal


@dataclass(frozen=True)
class Scorecard:
    """Counted, since the same defect named twice is one found and one false alarm."""

    found: Counter[Finding]
    missed: Counter[Finding]
    false_alarms: Counter[Finding]

    @classmethod
    def of(cls, planted: Counter[Finding], named: Counter[Finding]) -> Self:
        return cls(planted & named, planted - named, named - planted)

    def __add__(self, other: Self) -> Self:
        """Of two worlds: what is missed in one is not found by what is made up in the other."""
        return type(self)(
            self.found + other.found,
            self.missed + other.missed,
            self.false_alarms + other.false_alarms,
        )

    @property
    def planted(self) -> Counter[Finding]:
        return self.found + self.missed

    @property
    def perfect(self) -> bool:
        return not self.missed and not self.false_alarms

    @property
    def summary(self) -> str:
        return (
            f"{self.found.total()} of {self.planted.total()} planted found, "
            f"{self.false_alarms.total()} false alarms (target: all, 0)"
        )


def score(dataset: Path, warehouse: Path) -> Scorecard:
    """Compares the answer key of `dataset` with what the DuckDB file `warehouse` names as broken, late or kept out."""
    lines = (dataset / "answer_key.jsonl").read_text().splitlines()
    planted = [Finding(**{**line, "difference": Decimal(line["difference"])}) for line in map(json.loads, lines)]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        named = _findings(
            connection,
            """
            select cause, comparison, status, match_key, customer_id, period, currency, left_ref, right_ref, difference
            from reconciliation.fct_breaks
            where is_open
            union all
            select cause, null, 'excluded', object_id, customer_id, null, currency, null, null, amount
            from marts.fct_excluded_rows
            """,
        )
        for plant in planted:
            if plant.status == "matched":
                named += _findings(
                    connection,
                    f"""
                    select $cause, comparison, status, match_key, customer_id, period, currency, left_ref, right_ref,
                        difference
                    from reconciliation.rec_{plant.comparison}
                    where status = 'matched' and match_key = $match_key
                    """,
                    {"cause": plant.cause, "match_key": plant.match_key},
                )
    return Scorecard.of(Counter(planted), Counter(named))


def _findings(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None) -> list[Finding]:
    return [Finding(*row) for row in connection.execute(query, values or {}).fetchall()]


def render(scorecard: Scorecard, console: Console) -> None:
    """A row per class."""
    table = Table("class", box=SIMPLE_HEAD, show_edge=False)
    columns = (scorecard.planted, scorecard.found, scorecard.missed, scorecard.false_alarms)
    for header in ("planted", "found", "missed", "false alarms"):
        table.add_column(header, justify="right")
    for cause in sorted({finding.cause for finding in scorecard.planted | scorecard.false_alarms}):
        counts = [sum(times for finding, times in column.items() if finding.cause == cause) for column in columns]
        wrong = counts[2] + counts[3]
        table.add_row(cause, *(str(count) for count in counts), style="red" if wrong else "")
    console.print(table)


def quote(scorecard: Scorecard, console: Console) -> None:
    """Every finding that was missed or made up, in full."""
    for label, findings in (("missed", scorecard.missed), ("false alarm", scorecard.false_alarms)):
        for finding in findings:
            console.print(f"  {label}: {finding}", style="red", highlight=False, soft_wrap=True)


def over_worlds(name: str, purpose: str | None, judge: Callable[[Path, Path], Result]) -> Iterator[tuple[str, Result]]:
    """What `judge` makes of the dataset and the warehouse of each world that the command line asks for.

    Generates the world and runs the production job over it. SystemExit, after what the job said, when the job fails.
    """
    parser = argparse.ArgumentParser(prog=f"python -m sandbox.{name}", description=purpose)
    parser.add_argument("--seed", type=int, default=7, help="of the first world")
    parser.add_argument("--seeds", type=int, default=1, help="how many, one after the other")
    parser.add_argument("--customers", type=int, default=80)
    parser.add_argument("--months", type=int, default=4)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument(
        "--defects",
        nargs="+",
        default=["all"],
        help="of each seed a world with all, none, or codes separated by commas",
    )
    arguments = parser.parse_args()
    size = {name: getattr(arguments, name) for name in ("customers", "months", "events")}
    for seed, defects in product(range(arguments.seed, arguments.seed + arguments.seeds), arguments.defects):
        with tempfile.TemporaryDirectory(prefix="tieout-worlds-") as folder:
            dataset, warehouse = Path(folder, "dataset"), Path(folder, "tieout.duckdb")
            generate(dataset, seed=seed, defects=defects, **size)
            tieout = str(Path(sys.executable).with_name("tieout"))
            job = [tieout, "demo", "--dataset", str(dataset), "--warehouse", str(warehouse)]
            try:
                subprocess.run(
                    job,
                    env={**os.environ, "TIEOUT_HOME": folder},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=True,
                )
            except subprocess.CalledProcessError as failed:
                sys.stderr.write(
                    f"{failed.output}\n{name}: seed {seed}, {defects}: the job ended with {failed.returncode} (target: 0)\n"
                )
                raise SystemExit(1) from failed
            yield f"seed {seed}, {defects}", judge(dataset, warehouse)


def main() -> int:
    console = Console()
    total = Scorecard.of(Counter(), Counter())
    worlds = 0
    for world, scorecard in over_worlds("scorecard", __doc__, score):
        console.print(f"{world}: {scorecard.summary}", highlight=False)
        quote(scorecard, console)
        total += scorecard
        worlds += 1
    render(total, console)
    sys.stdout.write(f"scorecard: worlds: {worlds}, {total.summary}\n")
    return 0 if total.perfect else 1


if __name__ == "__main__":
    sys.exit(main())
