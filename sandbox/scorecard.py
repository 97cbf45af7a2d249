"""Planted against named: did the job find every defect that was planted, exactly, and nothing else?

`python -m sandbox.scorecard --seed 7` generates a company, runs the production job over it and scores the result.
This is the only code besides the tests that reads the answer key.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sandbox.generate import generate


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

    planted: Counter[Finding]
    named: Counter[Finding]

    @property
    def found(self) -> Counter[Finding]:
        return self.planted & self.named

    @property
    def missed(self) -> Counter[Finding]:
        return self.planted - self.named

    @property
    def false_alarms(self) -> Counter[Finding]:
        return self.named - self.planted

    @property
    def perfect(self) -> bool:
        return self.planted == self.named

    @property
    def summary(self) -> str:
        return (
            f"scorecard: {self.found.total()} of {self.planted.total()} planted found, "
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
    return Scorecard(Counter(planted), Counter(named))


def _findings(connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, Any] | None = None) -> list[Finding]:
    return [Finding(*row) for row in connection.execute(query, values or {}).fetchall()]


def render(scorecard: Scorecard, console: Console) -> None:
    """A row per class, then every finding that was missed or made up, in full."""
    table = Table("class", box=SIMPLE_HEAD, show_edge=False)
    columns = (scorecard.planted, scorecard.found, scorecard.missed, scorecard.false_alarms)
    for header in ("planted", "found", "missed", "false alarms"):
        table.add_column(header, justify="right")
    for cause in sorted({finding.cause for finding in scorecard.planted | scorecard.named}):
        counts = [sum(times for finding, times in column.items() if finding.cause == cause) for column in columns]
        wrong = counts[2] + counts[3]
        table.add_row(cause, *(str(count) for count in counts), style="red" if wrong else "")
    console.print(table)
    for label, findings in (("missed", scorecard.missed), ("false alarm", scorecard.false_alarms)):
        for finding in findings:
            console.print(f"{label}: {finding}", style="red", highlight=False, soft_wrap=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox.scorecard", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--customers", type=int, default=80)
    parser.add_argument("--months", type=int, default=4)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--defects", default="all", help="all, none, or codes separated by commas")
    arguments = vars(parser.parse_args())
    with tempfile.TemporaryDirectory(prefix="tieout-scorecard-") as folder:
        dataset, warehouse = Path(folder, "dataset"), Path(folder, "tieout.duckdb")
        generate(dataset, **arguments)
        tieout = Path(sys.executable).with_name("tieout")
        job = [str(tieout), "demo", "--dataset", str(dataset), "--warehouse", str(warehouse)]
        run = subprocess.run(job, env={**os.environ, "TIEOUT_HOME": folder}, check=False)
        if run.returncode or not warehouse.exists():
            sys.stderr.write(f"scorecard: the job ended with {run.returncode} (target: 0), nothing to score\n")
            return 1
        scorecard = score(dataset, warehouse)
    render(scorecard, Console())
    sys.stdout.write(scorecard.summary + "\n")
    return 0 if scorecard.perfect else 1


if __name__ == "__main__":
    sys.exit(main())
