"""A bank's statement file, in CSV, CAMT.053 or MT940, as statements whose lines add up to their balances.

CSV (RFC 4180): the columns `COLUMNS`, ISO 8601 dates, decimal text; it has no opening balance, so each line's `balance` must be
the one before plus the amount. CAMT.053 (ISO 20022, `camt.053.001.02` and later): opening (OPBD, else PRCD) plus entries must be
closing (CLBD). Only booked entries count: pending, future and informational ones (PDNG, FUTR, INFO) are not in the balance yet
and come again when they are booked. `CdtDbtInd` is the sign, of a reversal too. MT940 (SWIFT), read with `mt-940`: `:60F:` plus
`:61:` must be `:62F:`, over all pages of a statement, which must stand one after the other in one file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import msgspec
from mt940 import Options
from mt940.models import Transactions

COLUMNS = (
    "line_id",
    "account_id",
    "booked_on",
    "value_on",
    "amount",
    "currency",
    "description",
    "reference",
    "balance",
)

Line = Mapping[str, str]
"""One line by `COLUMNS`, all text: days as ISO 8601, amounts decimal and signed, money in is positive."""


@dataclass(frozen=True)
class Statement:
    """Lines that add up. `name` tells it from all other statements of the bank; a CSV file has none."""

    name: str | None
    lines: tuple[Line, ...]


class NotUnderstood(Exception):
    """Why a statement can't count, in one clause."""


def statements(suffix: str, content: bytes) -> Iterator[Statement | NotUnderstood]:
    """The statements of a file, each as it is or as why it can't count. Raises nothing that a file's bytes could cause."""
    split, understand = _FORMATS[suffix]
    try:
        parts = split(content)
    except NotUnderstood as reason:
        yield reason
        return
    for part in parts:
        try:
            yield understand(part)
        except NotUnderstood as reason:
            yield reason


@dataclass(frozen=True)
class _Entry:
    """A line as a bank's message has it. `own_reference` is the bank's own for this line, empty where it gives none."""

    own_reference: str
    booked_on: str
    value_on: str
    amount: Decimal
    description: str
    reference: str


_NO_REFERENCE = ("NONREF", "NOTPROVIDED")
_DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,9})?", re.ASCII)


def _statement(
    account: str, number: str, currency: str, opening: Decimal, closing: Decimal, entries: Sequence[_Entry]
) -> Statement:
    """A statement that adds up, with ids for its lines: the bank's reference where that names one line only.

    Else the id is a hash of the statement, the entry's days and amount, and its place among those alike: texts are left out, so
    that a parser which reads them better does not make other lines of them.
    """
    name = f"statement {number} of account {account}"
    balances = list(accumulate((entry.amount for entry in entries), initial=opening))
    if balances[-1] != closing:
        raise NotUnderstood(
            f"{name} does not add up: opening {opening:f} and lines of {balances[-1] - opening:f} are {balances[-1]:f}, "
            f"not the closing {closing:f}"
        )
    owners = Counter(entry.own_reference for entry in entries)
    places: Counter[tuple[object, ...]] = Counter()
    lines = []
    for entry, balance in zip(entries, balances[1:], strict=True):
        line_id = entry.own_reference
        if line_id in ("", *_NO_REFERENCE) or owners[line_id] > 1:
            alike = (name, line_id, entry.booked_on, entry.value_on, entry.amount)
            places[alike] += 1
            line_id = hashlib.sha256(msgspec.json.encode((*alike, places[alike]))).hexdigest()[:20]
        values = (
            line_id,
            account,
            entry.booked_on,
            entry.value_on,
            format(entry.amount, "f"),
            currency,
            entry.description,
            "" if entry.reference in _NO_REFERENCE else entry.reference,
            format(balance, "f"),
        )
        lines.append(dict(zip(COLUMNS, values, strict=True)))
    return Statement(name, tuple(lines))


def _amount(text: str, where: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise NotUnderstood(f"{where}: {text!r} is not a decimal")
    return Decimal(text)


def _day(text: str, where: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise NotUnderstood(f"{where}: {text!r} is not a day as in 2026-07-31")


def _text_of_csv(content: bytes) -> list[str]:
    try:
        return [content.decode()]
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"it is not UTF-8 ({error})") from error


def _from_csv(text: str) -> Statement:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    lines: dict[tuple[str, str], Line] = {}
    balances: dict[str, Decimal] = {}
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise NotUnderstood(f"it has the columns {reader.fieldnames}, not {', '.join(COLUMNS)}")
        for line in reader:
            where = f"line {reader.line_num}"
            if None in line or None in line.values():
                raise NotUnderstood(f"{where} has more or fewer values than columns")
            account, line_id = line["account_id"], line["line_id"]
            if not account or not line_id:
                raise NotUnderstood(f"{where} has no line_id or no account_id")
            if (account, line_id) in lines:
                raise NotUnderstood(f"{where}: line {line_id} of account {account} stands there twice")
            lines[account, line_id] = line
            _day(line["booked_on"], where)
            if line["value_on"]:
                _day(line["value_on"], where)
            amount = _amount(line["amount"], where)
            if account in balances:
                balances[account] += amount
            if line["balance"]:
                balance = _amount(line["balance"], where)
                if balances.setdefault(account, balance) != balance:
                    raise NotUnderstood(
                        f"account {account} does not add up at {where}: balance {balances[account] - amount:f} and "
                        f"{amount:f} are {balances[account]:f}, not {balance:f}"
                    )
    except csv.Error as error:
        raise NotUnderstood(f"it is not CSV ({error})") from error
    return Statement(None, tuple(lines.values()))


class _WithoutEntities(ElementTree.TreeBuilder):
    """Refuses a document type before any entity of it is read: ten of them can unfold into gigabytes."""

    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        raise ValueError("it declares a document type, which no statement has")


def _statements_of_camt(content: bytes) -> list[Element]:
    try:
        root = ElementTree.fromstring(content, ElementTree.XMLParser(target=_WithoutEntities()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise NotUnderstood(f"it is not XML that can be read ({error})") from error
    found = root.findall("{*}BkToCstmrStmt/{*}Stmt")
    if not found:
        raise NotUnderstood("there is no camt.053 statement (BkToCstmrStmt/Stmt) in it")
    return found


def _from_camt(statement: Element) -> Statement:
    account = _text(statement, "Acct/Id/IBAN") or _text(statement, "Acct/Id/Othr/Id")
    number = _text(statement, "Id")
    if not account or not number:
        raise NotUnderstood("a statement has no Id or no account (Acct/Id)")
    where = f"statement {number} of account {account}"
    balances = {_text(balance, "Tp/CdOrPrtry/Cd"): _signed(balance, where) for balance in statement.iterfind("{*}Bal")}
    opening, closing = balances.get("OPBD", balances.get("PRCD")), balances.get("CLBD")
    if opening is None or closing is None:
        raise NotUnderstood(f"{where} has no opening (OPBD, PRCD) or no closing balance (CLBD)")
    booked = [entry for entry in statement.iterfind("{*}Ntry") if _is_booked(entry, where)]
    moved = [_signed(entry, where) for entry in booked]
    currencies = {currency for _, currency in (opening, closing, *moved)}
    if len(currencies) > 1:
        raise NotUnderstood(f"{where} has amounts in {' and '.join(sorted(currencies))}")
    entries = [_camt_entry(entry, amount, where) for entry, (amount, _) in zip(booked, moved, strict=True)]
    return _statement(account, number, currencies.pop(), opening[0], closing[0], entries)


def _is_booked(entry: Element, where: str) -> bool:
    status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
    if status not in ("BOOK", "PDNG", "FUTR", "INFO"):
        raise NotUnderstood(f"{where}: an entry has the status {status!r}")
    return status == "BOOK"


def _signed(element: Element, where: str) -> tuple[Decimal, str]:
    """Amount and currency of a balance or an entry."""
    amount, found = _amount(_text(element, "Amt"), where), element.find("{*}Amt")
    match _text(element, "CdtDbtInd"):
        case "CRDT":
            sign = 1
        case "DBIT":
            sign = -1
        case other:
            raise NotUnderstood(f"{where}: {other!r} is neither CRDT nor DBIT")
    return sign * amount, found.get("Ccy", "") if found is not None else ""


def _camt_entry(entry: Element, amount: Decimal, where: str) -> _Entry:
    details = entry.findall("{*}NtryDtls/{*}TxDtls")
    told = [_text(entry, "AddtlNtryInf")]
    told += [text.text or "" for one in details for text in one.iterfind("{*}RmtInf/{*}Ustrd")]
    value_on = _camt_day(entry, "ValDt")
    return _Entry(
        _text(entry, "AcctSvcrRef"),
        _day(_camt_day(entry, "BookgDt"), where),
        _day(value_on, where) if value_on else "",
        amount,
        _joined(told),
        _text(details[0], "Refs/EndToEndId") if len(details) == 1 else "",
    )


def _camt_day(entry: Element, name: str) -> str:
    """The bank's own day of a date, which may carry its zone, or of an instant."""
    text = _text(entry, f"{name}/Dt") or _text(entry, f"{name}/DtTm")
    return re.sub(r"(?<=\d\d-\d\d)(T.*|Z|[+-]\d\d:\d\d)$", "", text)


def _text(element: Element, path: str) -> str:
    """Text at a path, in whichever version's namespace; empty where there is none."""
    return (element.findtext("{*}" + path.replace("/", "/{*}")) or "").strip()


def _joined(texts: Sequence[str | None]) -> str:
    """Each text once, on one line."""
    return " ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text and text.strip()))


_MT940_PAGE = re.compile(r"^:20:.*?^:62[FM]:[^\n]*", re.MULTILINE | re.DOTALL)
_MT940_MONEY = re.compile(r"^:(6[0-2][FM]?):(.*)$", re.MULTILINE)
_MT940_LINE = re.compile(r"\d{6}(\d{4}| {4})?R?[DC][A-Z]?(?=[\d,]{2,15}[A-Z])\d+,\d*[A-Z][A-Z0-9 ]{3}.*", re.ASCII)
_MT940_BALANCE = re.compile(r"[DC]\d{6}[A-Z]{3}(?=[\d,]{2,15}$)\d+,\d*", re.ASCII)


def _statements_of_mt940(content: bytes) -> list[list[str]]:
    """Statements, each a list of its pages: one that begins with `:60M:` goes on with the page before."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise NotUnderstood(f"it is neither UTF-8 nor Windows-1252 ({error})") from error
    blocks = re.split(r"(?m)^(?=:20:)", text.replace("\r\n", "\n").replace("\r", "\n"))[1:]
    if not blocks:
        raise NotUnderstood("there is no MT940 statement (:20:) in it")
    found: list[list[str]] = []
    for block in blocks:
        if found and re.search(r"(?m)^:60M:", block):
            found[-1].append(block)
        else:
            found.append([block])
    return found


def _from_mt940(blocks: Sequence[str]) -> Statement:
    pages = [_page(block) for block in blocks]
    first, last = pages[0].data, pages[-1].data
    account, number = first.get("account_identification"), first.get("statement_number")
    if not account or not number:
        raise NotUnderstood("a statement has no account (:25:) or no number (:28C:)")
    where = f"statement {number} of account {account}"
    opening, closing = first.get("final_opening_balance"), last.get("final_closing_balance")
    if opening is None or closing is None:
        raise NotUnderstood(f"{where} is cut short: it has no :60F: or no :62F:")
    for before, after in pairwise(page.data for page in pages):
        is_next = all(before.get(key) == after.get(key) for key in ("account_identification", "statement_number"))
        if not is_next or before.get("intermediate_closing_balance") != after.get("intermediate_opening_balance"):
            raise NotUnderstood(f"{where}: a page does not begin (:60M:) as the one before it ends (:62M:)")
    if opening.amount.currency != closing.amount.currency:
        raise NotUnderstood(f"{where} opens in {opening.amount.currency} and closes in {closing.amount.currency}")
    entries = [_mt940_entry(line.data) for page in pages for line in page]
    # Numbers begin again every year, and some banks do not count at all.
    number = f"{number} of {closing.date}"
    return _statement(account, number, closing.amount.currency, opening.amount.amount, closing.amount.amount, entries)


def _page(block: str) -> Transactions:
    found = _MT940_PAGE.match(block)
    if not found:
        raise NotUnderstood(f"the statement that begins {block.splitlines()[0]!r} is cut short: it has no :62F:")
    # The parser drops what it does not expect: of the amount 1234.50, with a point, it would read 1234.
    for tag, value in _MT940_MONEY.findall(found.group()):
        if not (_MT940_LINE if tag == "61" else _MT940_BALANCE).fullmatch(value):
            raise NotUnderstood(f":{tag}:{value} is not what MT940 has there")
    # It logs the text of a statement before it raises.
    logging.getLogger("mt940").setLevel(logging.CRITICAL)
    page = Transactions(options=Options.all())
    try:
        page.parse(found.group())
    except RuntimeError as error:
        raise NotUnderstood(f":{error.args[1].id}:{error.args[2]} is not what MT940 has there") from error
    except (ValueError, ArithmeticError) as error:
        raise NotUnderstood(f"{found.group().splitlines()[0]}: a date or amount is none ({error})") from error
    return page


def _mt940_entry(line: Mapping[str, Any]) -> _Entry:
    structured = [line.get(key) for key in ("posting_text", "purpose", "applicant_name")]
    return _Entry(
        line["bank_reference"] or "",
        str(line.get("entry_date") or line["date"]),
        str(line["date"]),
        line["amount"].amount,
        _joined(structured) or _joined([line.get("transaction_details") or line.get("extra_details")]),
        # The parser puts a reference that `:86:` gives (KREF) under the one of `:61:`.
        line.get("end_to_end_reference") or line["customer_reference"].rpartition("\n")[2].strip(),
    )


_Format = tuple[Callable[[bytes], Sequence[Any]], Callable[[Any], Statement]]
_MT940: _Format = (_statements_of_mt940, _from_mt940)
_FORMATS: Mapping[str, _Format] = {
    ".csv": (_text_of_csv, _from_csv),
    ".xml": (_statements_of_camt, _from_camt),
    ".sta": _MT940,
    ".mt940": _MT940,
    ".940": _MT940,
}
