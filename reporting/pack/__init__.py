"""The close pack: a month's close in one folder, for the controller, the CFO, the ledger and the auditor.

Every file is made of the close's own schemas and of what the close says of itself, so the same close gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from reporting.close import Header, content_hash, frozen, header, schema_of
from reporting.marts import ReportUnavailable, Warehouse, opened
from reporting.pack import journals, page, sheets
from reporting.pack.workbook import Facts, write_workbook

_LAYERS = ("marts", "reconciliation", "close", "seeds")


@dataclass(frozen=True)
class Pack:
    """A pack as it was written: the folder, and the SHA-256 of each file in it by its name."""

    folder: Path
    files: dict[str, str]


def write_pack(warehouse: Warehouse, period: str, folder: Path, entity: str = "") -> Pack:
    """Write the pack of a closed month into the folder; files of an earlier one there are replaced.

    `entity` is whose books they are. Raises ReportUnavailable where the month was never closed, or its schemas hold anything
    else than what was frozen.
    """
    close = header(warehouse, period)
    _refuse_unless_frozen(warehouse, close)
    schemas = {layer: schema_of(period, layer) for layer in _LAYERS}
    tables = {*sheets.TABLES, *journals.TABLES, *page.TABLES, "seeds.currencies"}
    names = sorted(f"{schemas[layer]}.{table}" for layer, table in (each.split(".") for each in tables))
    with opened(warehouse, names) as connection:
        exponents = dict(connection.execute(f"select currency, exponent from {schemas['seeds']}.currencies").fetchall())
        read = sheets.read_sheets(connection, schemas, period)
        charted = page.read_charted(connection, schemas, period)
        entries = journals.read_entries(connection, schemas, period, exponents)
    facts = Facts(
        entity=entity,
        month=f"{date.fromisoformat(period + '-01'):%B %Y}",
        header=close,
        currencies=_currencies(read, exponents, charted.reporting_currency),
        exponents=exponents,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_workbook(folder / f"close-{period}.xlsx", facts, read)
    page.write_page(folder / f"close-{period}.html", facts, read, charted)
    for ledger, text in (("netsuite", journals.to_netsuite(entries)), ("quickbooks", journals.to_quickbooks(entries))):
        (folder / f"journal-{period}-{ledger}.csv").write_text(text, encoding="utf-8", newline="")
    return Pack(folder, _manifest(folder, close))


def _refuse_unless_frozen(warehouse: Warehouse, close: Header) -> None:
    """A refused close, or one by other models, leaves its own figures in the month's schemas."""
    built = content_hash(frozen(warehouse, close.closed.period, close.closed.close_id))
    if built != close.closed.content_hash:
        raise ReportUnavailable(
            f"the schemas of {close.closed.period} hold {built[:12]} and not what was frozen, {close.closed.content_hash[:12]}: "
            f"`tieout close {close.closed.period} --as-of {close.closed.as_of.isoformat()}` builds it once more"
        )


def _currencies(read: dict[str, sheets.Sheet], exponents: dict[str, int], reporting_currency: str) -> tuple[str, ...]:
    """Those of the books, the reporting currency first."""
    found = {str(row[sheet.index("currency")]) for sheet in read.values() for row in sheet.rows} & exponents.keys()
    return tuple(sorted(found, key=lambda each: (each != reporting_currency, each)))


def _manifest(folder: Path, close: Header) -> dict[str, str]:
    period = close.closed.period
    names = (
        f"close-{period}.html",
        f"close-{period}.xlsx",
        f"journal-{period}-netsuite.csv",
        f"journal-{period}-quickbooks.csv",
    )
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    manifest = {
        "close_id": close.closed.close_id,
        "as_of": close.closed.as_of.isoformat(),
        "months": [close.first_period, period],
        "closed_by": close.closed_by,
        "accepted_reason": close.accepted_reason,
        "input_hash": close.input_hash,
        "content_hash": close.closed.content_hash,
        "files": files,
    }
    (folder / "manifest.json").write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    return files
