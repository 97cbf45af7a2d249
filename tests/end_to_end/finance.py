"""`make finance`: docs/finance.md, the analyses of dbt_project/analyses with their answers on a small sandbox company.

The company is that of `small_world("all")`, so that the tests have the same answers from the warehouse that they build anyway.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from tests.end_to_end.conftest import ROOT
from tests.worlds import BIN, INHERITED, Run, demo, small_company

PAGE = ROOT / "docs" / "finance.md"

_SHOWN = 10
_HEAD = """# What finance asks, and the answer in SQL

Each question is a query on the public marts, in `dbt_project/analyses/`. The answers below are those of the sandbox company that
`tieout demo --customers 24 --months 3 --events 12000` builds; the page is written by `make finance`, and `make test` compares it.
Amounts are shown with their currency's decimals, of long answers the first rows; the queries round nothing and leave nothing out.

To ask your own warehouse, of another month or customer:

    .venv/bin/dbt show --profiles-dir . --limit 1000 --select customer_usage --vars '{month: 2026-08, customer: acct_0004}'

It shows three decimals of each figure. `dbt compile` with the same arguments prints the SQL, to be pasted into a console of
DuckDB or BigQuery, which shows all. A month that is still running is answered up to now.

Without SQL, `.venv/bin/tieout export fct_invoices --period 2026-09 --format xlsx` writes a mart for a spreadsheet; or `csv`, or
`parquet`. A month is asked of the mart's `period`, and where it has none of the day or the moment that it is about, such as
`revenue_date`, `invoice_date` or `created_at`: the command says which.
"""


@dataclass(frozen=True)
class Answer:
    """An analysis: its question and what there is to know beside it, its SQL for DuckDB, what it reads, what came out."""

    name: str
    folder: str
    question: str
    note: str
    sql: str
    reads: frozenset[str]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def answers(run: Run) -> list[Answer]:
    """Every analysis, executed on what a run has built, in the order of their folders."""
    (target,) = run.home.glob("demo/*/dbt")
    written = ("--target-path", target, "--log-path", target)
    where = ("--project-dir", ROOT, "--profiles-dir", ROOT, *written)
    done = subprocess.run(
        [BIN / "dbt", "--quiet", "compile", "--select", "resource_type:analysis", *where],
        env=INHERITED | {"TIEOUT_WAREHOUSE": str(run.warehouse), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = json.loads((target / "manifest.json").read_text())["nodes"].values()
    with duckdb.connect(str(run.warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = [_answer(node, connection) for node in nodes if node["resource_type"] == "analysis"]
    return sorted(found, key=lambda answer: (answer.folder, answer.name))


def _answer(node: Mapping[str, Any], connection: duckdb.DuckDBPyConnection) -> Answer:
    sql = node["compiled_code"].strip()
    header, _, _ = sql.partition("\n\n")
    question, *note = (line.removeprefix("-- ") for line in header.splitlines())
    asked = connection.execute(sql)
    return Answer(
        name=node["name"],
        folder=Path(node["original_file_path"]).parent.name,
        question=question,
        note=" ".join(note),
        sql=sql,
        reads=frozenset(node["depends_on"]["nodes"]),
        columns=tuple(name for name, *_ in asked.description),
        rows=tuple(asked.fetchall()),
    )


def page(found: Sequence[Answer], exponents: Mapping[str, int]) -> str:
    """The page. `exponents` are the decimals of each currency (ISO 4217)."""
    parts = [_HEAD]
    for folder, group in groupby(found, key=lambda answer: answer.folder):
        parts.append(f"## {folder.capitalize()}\n")
        parts.extend(_section(answer, exponents) for answer in group)
    return "\n".join(parts)


def _section(answer: Answer, exponents: Mapping[str, int]) -> str:
    shown = [_row(answer.columns, row, exponents) for row in answer.rows[:_SHOWN]]
    right = [any(isinstance(row[at], Decimal | int) for row in answer.rows) for at, _ in enumerate(answer.columns)]
    table = [
        "| " + " | ".join(name.replace("_", " ") for name in answer.columns) + " |",
        "|" + "|".join("---:" if is_figure else "---" for is_figure in right) + "|",
        *("| " + " | ".join(cells) + " |" for cells in shown),
    ]
    more = len(answer.rows) - len(shown)
    return "\n".join(
        [
            f"### {answer.question}\n",
            *([f"{answer.note}\n"] if answer.note else []),
            f"[`{answer.name}`](../dbt_project/analyses/{answer.folder}/{answer.name}.sql)\n",
            *table,
            *([f"\n… and {more} rows more."] if more else []),
            "",
        ]
    )


def _row(columns: Sequence[str], row: Sequence[Any], exponents: Mapping[str, int]) -> list[str]:
    """The cells of a row; an amount is in the currency to the left of it."""
    cells, exponent = [], 0
    for name, value in zip(columns, row, strict=True):
        if name.endswith("currency"):
            exponent = exponents[value]
        cells.append(_cell(value, exponent if name.endswith("_amount") else None))
    return cells


def _cell(value: Any, decimals: int | None) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return f"{value:,.{decimals}f}" if decimals is not None else f"{value.normalize():,f}"
        case int():
            return f"{value:,}"
    return str(value)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="tieout-finance-") as name:
        run = demo(small_company(Path(name), "all"), Path(name) / "home")
        PAGE.write_text(page(answers(run), exponents(run)))
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} is written\n")


def exponents(run: Run) -> dict[str, int]:
    """The decimals of each currency (ISO 4217)."""
    return {
        str(currency): int(str(exponent))
        for currency, exponent in run.rows("from seeds.currencies select currency, exponent")
    }


if __name__ == "__main__":
    main()
