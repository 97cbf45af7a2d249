"""A dataset directory: what the servers serve, whoever wrote it.

`dataset.json`, `stripe/<resource>.jsonl`, `orb/<resource>.jsonl`, `app/<table>.parquet`, `bank/<account>.csv`,
`answer_key.jsonl`, `answer_key_books.jsonl`. Numbers keep their digits: decimals are written as JSON numbers and read back
as decimals.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Writer:
    """Writes beside the target and moves it into place at the end, so that a broken run leaves no half dataset.

    ValueError: the target is a directory with something else in it.
    """

    def __init__(self, target: Path) -> None:
        if target.exists() and any(target.iterdir()) and not (target / "dataset.json").exists():
            raise ValueError(f"{target} is not empty and not a dataset: name a new directory")
        self.target = target
        self.partial = target.with_name(f"{target.name}.partial")

    def __enter__(self) -> Writer:
        shutil.rmtree(self.partial, ignore_errors=True)
        for folder in ("stripe", "orb", "app", "bank"):
            (self.partial / folder).mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            shutil.rmtree(self.target, ignore_errors=True)
            self.partial.rename(self.target)
        else:
            shutil.rmtree(self.partial, ignore_errors=True)

    def header(self, now: str, arguments: Mapping[str, Any]) -> None:
        """`dataset.json`: the world's clock and what it was made from."""
        text = json.dumps({"now": now, "arguments": dict(arguments)}, indent=2)
        (self.partial / "dataset.json").write_text(text + "\n", encoding="utf-8")

    def objects(self, name: str, objects: Iterable[Mapping[str, Any]]) -> None:
        """One JSON object a line. `name` without the ending, e.g. `stripe/charges`."""
        with (self.partial / f"{name}.jsonl").open("wb") as file:
            file.writelines(_ENCODER.encode(found) + b"\n" for found in objects)

    def text(self, name: str, lines: Iterable[str]) -> None:
        """JSON lines that are text already, each with its line end."""
        with (self.partial / f"{name}.jsonl").open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)

    def table(self, name: str, table: pa.Table) -> None:
        """A Parquet file: the same table, the same bytes."""
        path = self.partial / f"app/{name}.parquet"
        pq.write_table(table, path, compression="zstd", version="2.6", row_group_size=100_000)

    def statement(self, account_id: str, lines: list[dict[str, str]]) -> None:
        """A bank account's statement."""
        with (self.partial / f"bank/{account_id}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(lines[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)


def read_objects(dataset: Path, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a resource, e.g. `orb/credit_ledger`, with fractions as decimals."""
    with (dataset / f"{name}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line, parse_float=Decimal)


def read_table(dataset: Path, name: str) -> pa.Table:
    """A table of the product's database."""
    return pq.read_table(dataset / f"app/{name}.parquet")


def read_statements(dataset: Path) -> dict[str, list[dict[str, str]]]:
    """Every account's statement lines, by account id."""
    statements = {}
    for path in sorted((dataset / "bank").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            statements[path.stem] = list(csv.DictReader(file))
    return statements
