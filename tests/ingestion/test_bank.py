from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

import duckdb
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ingestion.certificate import Certificate, certify
from ingestion.payload import SourceRefused
from ingestion.settings import MissingSetting, Settings, read_settings
from ingestion.sources.statements import COLUMNS, NotUnderstood, Statement, statements
from ingestion.streams import stream_named
from ingestion.sync import sync
from tests.ingestion.conftest import landed

LINES = stream_named("bank.statement_lines")
FIXTURES = Path(__file__).parent / "statements"
CSV, CAMT, MT940 = (FIXTURES / name for name in ("usd.csv", "eur.xml", "eur.sta"))
FIELDS = ("booked_on", "value_on", "amount", "currency", "description", "reference", "balance")


@dataclass(frozen=True)
class Bank:
    """A directory of statements and a warehouse that they are read into."""

    settings: Settings
    directory: Path

    def put(self, name: str, content: bytes) -> None:
        (self.directory / name).write_bytes(content)

    def sync(self) -> int:
        """How many lines landed."""
        return sync(LINES, self.settings).rows

    def lines(self, *fields: str) -> list[tuple[object, ...]]:
        """These fields of every line that has landed, in the order of the statements."""
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            selected = ", ".join(f"payload ->> '{field}'" for field in fields)
            return connection.execute(f"select {selected} from raw_bank.statement_lines").fetchall()

    def rejected(self) -> list[tuple[str, bytes]]:
        """Reason and original of everything in quarantine."""
        found = landed(self.settings, "raw_quarantine.rejected", "rejected.stream, reason, original")
        assert {stream for stream, _, _ in found} <= {"bank.statement_lines"}
        return [(str(reason), bytes(original)) for _, reason, original in found]  # type: ignore[call-overload]


def _bank(home: Path) -> Bank:
    directory = home / "statements"
    directory.mkdir()
    return Bank(
        read_settings({"TIEOUT_HOME": str(home / "home"), "BANK_STATEMENTS": str(directory)}),
        directory,
    )


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return _bank(tmp_path)


def _changed(original: Path, was: str, becomes: str) -> bytes:
    encoding = {".csv": "utf-8", ".xml": "latin-1", ".sta": "cp1252"}[original.suffix]
    text = original.read_bytes().decode(encoding)
    assert was in text
    return text.replace(was, becomes).encode(encoding)


def test_csv_lands_as_the_bank_wrote_it(bank: Bank) -> None:
    bank.put("usd.csv", CSV.read_bytes())
    assert bank.sync() == 3
    assert bank.lines(*COLUMNS) == [
        (
            *("USD20260700001", "usd_collections", "2026-07-01", "2026-07-01", "1204.50", "USD"),
            *("STRIPE TRANSFER a1b2", "a1b2", "1204.50"),
        ),
        (
            *("USD20260700002", "usd_collections", "2026-07-02", "", "-1000.00", "USD"),
            *("SWEEP TO\nOPERATING ACCOUNT", "SWP7", "204.50"),
        ),
        ("USD20260700003", "usd_collections", "2026-07-02", "2026-07-03", "0.5", "USD", "Crédit", "", "205.00"),
    ]
    assert landed(bank.settings, "raw_bank.statement_lines", "object_id, parent_id, source_at::date::varchar") == [
        ("usd_collections/USD20260700001", "usd_collections", "2026-07-01"),
        ("usd_collections/USD20260700002", "usd_collections", "2026-07-02"),
        ("usd_collections/USD20260700003", "usd_collections", "2026-07-02"),
    ]


def test_mt940_lands_with_its_marks_its_pages_and_its_texts(bank: Bank) -> None:
    bank.put("eur.STA", MT940.read_bytes())
    assert bank.sync() == 6
    assert bank.lines(*FIELDS) == [
        (
            *("2026-07-01", "2026-07-01", "2500.5", "EUR"),
            *("GUTSCHRIFT STRIPE TRANSFER FÜR JULI STRIPE PAYMENTS EUROPE", "po-7781", "3500.50"),
        ),
        ("2026-07-01", "2026-07-02", "-12.00", "EUR", "ACCOUNT FEE JULY", "", "3488.50"),
        ("2026-07-01", "2026-07-02", "-12.00", "EUR", "ACCOUNT FEE JULY", "", "3476.50"),
        ("2026-07-02", "2026-07-02", "-100.00", "EUR", "CHARGED BACK", "", "3376.50"),
        ("2026-07-02", "2026-07-02", "7", "EUR", "FEE RETURNED", "", "3383.50"),
        ("2026-07-03", "2026-07-03", "-4000.00", "EUR", "SWEEP", "SWP9", "-616.50"),
    ]
    assert bank.rejected() == []


@pytest.mark.parametrize("version", ["02", "04", "08", "13"])
def test_camt_lands_what_is_booked_whatever_the_version(bank: Bank, version: str) -> None:
    content = _changed(CAMT, "camt.053.001.08", f"camt.053.001.{version}")
    if version == "02":
        content = re.sub(rb"<Sts><Cd>(\w+)</Cd></Sts>", rb"<Sts>\1</Sts>", content)
    bank.put("eur.xml", content)
    assert bank.sync() == 5
    assert bank.lines(*FIELDS) == [
        (
            *("2026-07-01", "2026-07-01", "2500.5", "EUR"),
            *("SEPA GUTSCHRIFT STRIPE TRANSFER FÜR JULI", "po-7781", "3500.50"),
        ),
        ("2026-07-01", "2026-07-02", "-12.00", "EUR", "ACCOUNT FEE JULY", "", "3488.50"),
        ("2026-07-01", "2026-07-02", "-12.00", "EUR", "ACCOUNT FEE JULY", "", "3476.50"),
        ("2026-07-02", "", "-100.00", "EUR", "", "", "3376.50"),
        ("2026-07-02", "", "7", "EUR", "", "", "3383.50"),
    ]
    assert bank.rejected() == []


@pytest.mark.parametrize("original", [CAMT, MT940], ids=["camt", "mt940"])
def test_a_line_is_called_by_the_banks_reference_and_lines_alike_stay_apart(bank: Bank, original: Path) -> None:
    bank.put(original.name, original.read_bytes())
    bank.sync()
    named = [str(line_id) for (line_id,) in bank.lines("line_id")]
    assert len(set(named)) == len(named)
    assert {"COBA001", "COBA002", "COBA003"} < set(named)
    assert [len(line_id) for line_id in named[1:3]] == [20, 20]


@pytest.mark.parametrize("original", [CAMT, MT940], ids=["camt", "mt940"])
def test_a_reference_that_names_two_lines_names_neither(bank: Bank, original: Path) -> None:
    bank.put(original.name, _changed(original, "COBA002", "COBA001"))
    bank.sync()
    named = [line_id for (line_id,) in bank.lines("line_id")]
    assert "COBA001" not in named
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("original", [CSV, CAMT, MT940], ids=["csv", "camt", "mt940"])
def test_a_statement_that_was_sent_twice_lands_once(bank: Bank, original: Path) -> None:
    bank.put(original.name, original.read_bytes())
    lines = bank.sync()
    assert lines > 0
    bank.put(f"z again {original.name}", original.read_bytes())
    assert bank.sync() == 0
    assert len(bank.lines("line_id")) == lines
    assert bank.rejected() == []


@pytest.mark.parametrize(
    ("original", "repeat", "reason"),
    [
        (
            CSV,
            _changed(
                CSV, "1204.50,USD,STRIPE TRANSFER a1b2,a1b2,1204.50", "1204.40,USD,STRIPE TRANSFER a1b2,a1b2,1204.40"
            )
            .replace(b"204.50\n", b"204.40\n")
            .replace(b"205.00\n", b"204.90\n"),
            "z.csv: line usd_collections/USD20260700001 came before with another day or amount",
        ),
        (
            CAMT,
            _changed(CAMT, ">100.00<", ">107.00<").replace(b">7<", b">14<"),
            "z.xml: statement 2026-07-02-1 of account DE89370400440532013000 came before with other lines",
        ),
        (
            MT940,
            _changed(MT940, "RC100,00", "RC107,00").replace(b"RD7,", b"RD14,"),
            "z.sta: statement 123 of 2026-07-02 of account 37040044/0532013000EUR came before with other lines",
        ),
        (
            MT940,
            _changed(MT940, ":28C:123/", ":28C:125/").replace(b"RC100,00", b"RC107,00").replace(b"RD7,", b"RD14,"),
            "z.sta: line 37040044/0532013000EUR/COBA002 came before with another day or amount",
        ),
    ],
    ids=["csv", "camt", "mt940", "mt940 under another number"],
)
def test_a_statement_that_comes_again_with_other_lines_is_told_and_what_came_before_stands(
    bank: Bank, original: Path, repeat: bytes, reason: str
) -> None:
    bank.put(f"a{original.suffix}", original.read_bytes())
    bank.sync()
    before = bank.lines(*COLUMNS)
    bank.put(f"z{original.suffix}", repeat)
    assert bank.sync() == 0
    assert bank.lines(*COLUMNS) == before
    assert bank.rejected() == [(reason, repeat)]


def test_a_line_in_two_statements_that_overlap_is_one_line(bank: Bank) -> None:
    bank.put("a.csv", CSV.read_bytes())
    head, _, rest = CSV.read_text().partition("\n")
    later = "USD20260700004,usd_collections,2026-07-04,,1.00,USD,,,206.00\n"
    bank.put("b.csv", f"{head}\n{rest.partition(chr(10))[2]}{later}".encode())
    assert bank.sync() == 4
    assert bank.rejected() == []


def test_the_order_of_files_does_not_make_new_versions_of_a_line_that_two_of_them_tell_in_other_words(
    bank: Bank,
) -> None:
    bank.put("a.sta", MT940.read_bytes())
    bank.put("b.sta", _changed(MT940, ":86:SWEEP", ":86:SWEPT"))
    assert (bank.sync(), bank.sync()) == (6, 0)
    assert ("SWEEP",) in bank.lines("description")
    assert bank.rejected() == []


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE Document [<!ENTITY e0 "ha">'
    + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    + "]>\n<Document><BkToCstmrStmt><Stmt><Id>&e11;</Id></Stmt></BkToCstmrStmt></Document>"
)
DE = "account DE89370400440532013000"
COBA = "account 37040044/0532013000EUR"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.csv", b"", "it has the columns None"),
        ("x.csv", b"rubbish,columns\n1,2\n", "it has the columns ['rubbish', 'columns'], not line_id, account_id"),
        ("x.csv", _changed(CSV, ",204.50", ""), "line 4 has more or fewer values than columns"),
        ("x.csv", _changed(CSV, "2026-07-03", "20260703"), "line 5: '20260703' is not a day as in 2026-07-31"),
        ("x.csv", _changed(CSV, "2026-07-02,,", "2026-02-30,,"), "line 4: '2026-02-30' is not a day"),
        ("x.csv", _changed(CSV, ",0.5,", ',"0,5",'), "line 5: '0,5' is not a decimal"),
        ("x.csv", _changed(CSV, ",0.5,", ",NaN,"), "line 5: 'NaN' is not a decimal"),
        ("x.csv", _changed(CSV, ",0.5,", ",5e-1,"), "line 5: '5e-1' is not a decimal"),
        ("x.csv", _changed(CSV, ",205.00", ",205 EUR"), "line 5: '205 EUR' is not a decimal"),
        ("x.csv", _changed(CSV, "USD20260700003", ""), "line 5 has no line_id or no account_id"),
        (
            "x.csv",
            _changed(CSV, "00003", "00002"),
            "line 5: line USD20260700002 of account usd_collections stands there twice",
        ),
        ("x.csv", CSV.read_text().encode("latin-1"), "it is not UTF-8"),
        ("x.csv", _changed(CSV, '"SWEEP', '"SW"EEP'), "it is not CSV"),
        (
            "x.csv",
            _changed(CSV, ",-1000.00,", ",-1000.10,"),
            "account usd_collections does not add up at line 4: balance 1204.50 and -1000.10 are 204.40, not 204.50",
        ),
        ("x.xml", b"", "it is not XML that can be read"),
        ("x.xml", CAMT.read_bytes()[:3000], "it is not XML that can be read"),
        ("x.xml", b'<?xml version="1.0" encoding="klingon"?><a/>', "it is not XML that can be read (unknown encoding"),
        ("x.xml", BOMB.encode(), "it declares a document type"),
        ("x.xml", BOMB.replace('"1.0"', '"1.0" encoding="utf-16"').encode("utf-16"), "it declares a document type"),
        ("x.xml", b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>', "it declares a document type"),
        ("x.xml", _changed(CAMT, "BkToCstmrStmt", "BkToCstmrAcctRpt"), "there is no camt.053 statement"),
        ("x.xml", _changed(CAMT, "<IBAN>DE89370400440532013000</IBAN>", ""), "a statement has no Id or no account"),
        ("x.xml", _changed(CAMT, ">2500.5<", ">2500,5<"), f"statement 2026-07-02-1 of {DE}: '2500,5' is not a decimal"),
        ("x.xml", _changed(CAMT, ">2500.5<", "><"), f"statement 2026-07-02-1 of {DE}: '' is not a decimal"),
        ("x.xml", _changed(CAMT, "<Dt>2026-07-01</Dt>", "<Dt>1 July</Dt>"), f"{DE}: '1 July' is not a day"),
        ("x.xml", _changed(CAMT, "<Sts><Cd>BOOK</Cd></Sts>", ""), f"{DE}: an entry has the status ''"),
        ("x.xml", _changed(CAMT, "PRCD", "ITBD"), f"{DE} has no opening (OPBD, PRCD) or no closing balance (CLBD)"),
        ("x.xml", _changed(CAMT, "CLBD", "ITBD"), f"{DE} has no opening (OPBD, PRCD) or no closing balance (CLBD)"),
        ("x.xml", _changed(CAMT, 'Ccy="EUR">7<', 'Ccy="USD">7<'), f"{DE} has amounts in EUR and USD"),
        ("x.xml", _changed(CAMT, ">DBIT<", ">MINUS<"), f"{DE}: 'MINUS' is neither CRDT nor DBIT"),
        (
            "x.xml",
            _changed(CAMT, ">2500.5<", ">2500.4<"),
            f"statement 2026-07-02-1 of {DE} does not add up: opening 1000.00 and lines of 2383.40 are 3383.40, not the closing "
            "3383.50",
        ),
        ("x.xml", _changed(CAMT, "PDNG", "BOOK"), f"{DE}: '' is not a day"),
        ("x.sta", b"", "there is no MT940 statement (:20:) in it"),
        ("x.sta", b":20:\x81\xfc", "it is neither UTF-8 nor Windows-1252"),
        ("x.mt940", MT940.read_bytes()[:300], "the statement that begins ':20:STARTUMS' is cut short: it has no :62F:"),
        (
            "x.sta",
            _changed(MT940, ":62F:C", ":62M:C"),
            f"statement 123 of {COBA} is cut short: it has no :60F: or no :62F:",
        ),
        (
            "x.sta",
            _changed(MT940, ":28C:123/1", ":28C:122/1"),
            "a page does not begin (:60M:) as the one before it ends",
        ),
        ("x.sta", _changed(MT940, ":60M:C260701EUR3476,5", ":60M:C260701EUR3476,4"), "a page does not begin (:60M:)"),
        ("x.940", _changed(MT940, "CR2500,5N", "CR2500.5N"), ":61:2607010701CR2500.5NTRFa1b2c3d4//COBA001 is not what"),
        ("x.sta", _changed(MT940, "C260630EUR1000,00", "C260630EUR1000.00"), ":60F:C260630EUR1000.00 is not what"),
        ("x.sta", _changed(MT940, "CR2500,5N", "CR2500,5,0N"), "is not what MT940 has there"),
        ("x.sta", _changed(MT940, "CR2500,5N", "CR12345678901234567,5N"), "is not what MT940 has there"),
        ("x.sta", _changed(MT940, "2607010701C", "2613010701C"), ":20:STARTUMS: a date or amount is none"),
        ("x.sta", _changed(MT940, ":28C:123/1", ":28C:July"), ":28:July is not what MT940 has there"),
        ("x.sta", _changed(MT940, ":25:37040044/0532013000EUR\r\n", ""), "a statement has no account (:25:)"),
        (
            "x.sta",
            _changed(MT940, ":62F:C260702EUR", ":62F:C260702USD"),
            f"123 of {COBA} opens in EUR and closes in USD",
        ),
        (
            "x.sta",
            _changed(MT940, "RC100,00", "RD100,00"),
            f"statement 123 of 2026-07-02 of {COBA} does not add up: opening 1000.00 and lines of 2583.50 are 3583.50, not the "
            "closing 3383.50",
        ),
    ],
)
def test_what_cannot_count_is_in_quarantine_with_its_reason_and_its_bytes_and_other_files_land(
    bank: Bank, name: str, content: bytes, reason: str
) -> None:
    bank.put("a good one.csv", CSV.read_bytes().replace(b"usd_collections", b"another"))
    bank.put(name, content)
    bank.put("z good one.csv", CSV.read_bytes().replace(b"usd_collections", b"a third"))
    bank.sync()
    ((told, original),) = bank.rejected()
    assert told.startswith(f"{name}: ")
    assert reason in told
    assert "\n" not in told
    assert original == content
    assert {account for (account,) in bank.lines("account_id")} >= {"another", "a third"}
    assert bank.sync() == 0
    assert len(bank.rejected()) == 1


def test_the_other_statements_of_a_file_land(bank: Bank) -> None:
    content = _changed(MT940, ":62F:C260702EUR3383,50", ":62F:C260702EUR3383,51")
    bank.put("eur.sta", content)
    assert bank.sync() == 1
    assert bank.lines("line_id") == [("COBA004",)]
    assert len(bank.rejected()) == 1


def test_a_statement_that_was_rejected_lands_once_the_bank_sends_it_right(bank: Bank) -> None:
    bank.put("a.sta", _changed(MT940, "RC100,00", "RD100,00"))
    assert bank.sync() == 1
    bank.put("b.sta", MT940.read_bytes())
    assert bank.sync() == 5


def test_the_parser_does_not_log_what_a_statement_says(
    bank: Bank, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bank.put("eur.sta", _changed(MT940, ":28C:123/1", ":28C:July"))
    bank.sync()
    assert "July" not in caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("prepare", [Path.rmdir, lambda path: (path / "readme.txt").write_text("none yet")])
def test_a_directory_without_statements_is_refused_with_what_to_do(
    bank: Bank, prepare: Callable[[Path], object]
) -> None:
    prepare(bank.directory)
    with pytest.raises((SourceRefused, MissingSetting), match="BANK_STATEMENTS"):
        bank.sync()


def test_the_certificate_counts_the_statements_that_count_and_no_others(bank: Bank) -> None:
    for original in (CSV, CAMT, MT940):
        bank.put(original.name, original.read_bytes())
        bank.put(f"z {original.name}", original.read_bytes())
    bank.put("z broken.sta", _changed(MT940, ":62F:C260702EUR3383,50", ":62F:C260702EUR3383,51"))
    bank.put("broken.csv", _changed(CSV, ",0.5,", ",half,"))
    bank.put("broken.xml", BOMB.encode())
    certificate = certify(sync(LINES, bank.settings), bank.settings)
    assert certificate.is_complete
    assert certificate.objects == 14
    amounts = dict.fromkeys(("EUR", "USD"), Decimal(0))
    for measure, value in certificate.source.items():
        if measure.unit is not None:
            amounts[measure.unit] += value
    assert amounts == {"EUR": 2 * Decimal("2383.50") - 4000, "USD": Decimal("205.00")}


def test_a_line_that_the_files_no_longer_have_is_named_by_the_certificate(bank: Bank) -> None:
    def certified() -> Certificate:
        return certify(sync(LINES, bank.settings, _soon_after), bank.settings, _soon_after)

    bank.put("usd.csv", CSV.read_bytes())
    assert certified().is_complete
    bank.put("usd.csv", CSV.read_bytes().partition(b"USD20260700003")[0])
    assert [(one.object_id, one.kind) for one in certified().differences] == [
        ("usd_collections/USD20260700003", "unknown")
    ]


def _soon_after() -> datetime:
    return datetime(2026, 7, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Booking:
    day: date
    cents: int
    description: str
    reference: str


_WORDS = st.lists(st.text("ABCxyz019äé'.()", min_size=1, max_size=9), max_size=3).map(" ".join)
_BOOKINGS = st.lists(
    st.builds(
        Booking,
        st.dates(date(2025, 12, 20), date(2026, 3, 10)),
        st.integers(-(10**12), 10**12),
        _WORDS,
        st.text("abc019", max_size=16),
    ),
    max_size=6,
)


def _text(cents: int) -> str:
    return format(Decimal(cents).scaleb(-2), "f")


def _as_csv(opening: int, bookings: list[Booking]) -> bytes:
    rows, balance = [",".join(COLUMNS)], opening
    for number, one in enumerate(bookings):
        balance += one.cents
        rows.append(
            f"{number},csv,{one.day},{one.day},{_text(one.cents)},EUR,{one.description},{one.reference},{_text(balance)}"
        )
    return "\n".join([*rows, ""]).encode()


def _as_camt(opening: int, bookings: list[Booking]) -> bytes:
    def money(cents: int) -> str:
        mark = "DBIT" if cents < 0 else "CRDT"
        return f'<Amt Ccy="EUR">{_text(abs(cents))}</Amt><CdtDbtInd>{mark}</CdtDbtInd>'

    def balance(code: str, cents: int) -> str:
        return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{money(cents)}</Bal>"

    entries = "".join(
        f"<Ntry>{money(one.cents)}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{one.day}</Dt></BookgDt><ValDt><Dt>{one.day}</Dt></ValDt>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{one.reference}</EndToEndId></Refs>"
        f"<RmtInf><Ustrd>{escape(one.description)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        for one in bookings
    )
    closing = opening + sum(one.cents for one in bookings)
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Id>1</Id>'
        f"<Acct><Id><Othr><Id>camt</Id></Othr></Id></Acct>{balance('OPBD', opening)}{balance('CLBD', closing)}{entries}"
        "</Stmt></BkToCstmrStmt></Document>"
    ).encode()


def _as_mt940(opening: int, bookings: list[Booking]) -> bytes:
    def money(cents: int) -> str:
        return _text(abs(cents)).replace(".", ",")

    def mark(cents: int) -> str:
        return "D" if cents < 0 else "C"

    closing = opening + sum(one.cents for one in bookings)
    fields = [":20:1", ":25:mt940", ":28C:1/1", f":60F:{mark(opening)}251219EUR{money(opening)}"]
    for one in bookings:
        fields.append(f":61:{one.day:%y%m%d%m%d}{mark(one.cents)}{money(one.cents)}NTRF{one.reference}")
        fields.append(f":86:{one.description}")
    return "\r\n".join([*fields, f":62F:{mark(closing)}260310EUR{money(closing)}", "-"]).encode()


@examples(max_examples=25)
@given(st.integers(-(10**12), 10**12), _BOOKINGS)
def test_a_statement_lands_the_same_in_every_format(opening: int, bookings: list[Booking]) -> None:
    with TemporaryDirectory() as home:
        bank = _bank(Path(home))
        bank.put("1.csv", _as_csv(opening, bookings))
        bank.put("2.xml", _as_camt(opening, bookings))
        bank.put("3.sta", _as_mt940(opening, bookings))
        assert bank.sync() == 3 * len(bookings)
        assert bank.rejected() == []
        expected = [
            (*(str(one.day),) * 2, Decimal(one.cents).scaleb(-2), "EUR", one.description, one.reference)
            for one in bookings
        ]
        found = bank.lines("account_id", *FIELDS)
        for account in ("csv", "camt", "mt940"):
            mine = [line[1:] for line in found if line[0] == account]
            assert [(*line[:2], Decimal(str(line[2])), *line[3:6]) for line in mine] == expected
        texts = [[line[1:] for line in found if line[0] == account] for account in ("csv", "camt", "mt940")]
        assert texts[0] == texts[1] == texts[2]


@examples(max_examples=300)
@given(st.sampled_from([CSV, CAMT, MT940]), st.data())
def test_no_bytes_stop_a_run(original: Path, data: st.DataObject) -> None:
    content = original.read_bytes()
    at = data.draw(st.integers(0, len(content)))
    gone = data.draw(st.integers(0, 40))
    broken = content[:at] + data.draw(st.binary(max_size=12)) + content[at + gone :]
    assert all(isinstance(found, (Statement, NotUnderstood)) for found in statements(original.suffix, broken))


@pytest.mark.parametrize(
    ("original", "amount"),
    [
        (CAMT, rb"([\d.]+)</Amt>\s+<CdtDbtInd>\w+</CdtDbtInd>\s+(?:<RvslInd>true</RvslInd>\s+)?<Sts><Cd>BOOK"),
        (MT940, rb":61:\d{10}[CDR]{1,2}([\d,]+)"),
    ],
    ids=["camt", "mt940"],
)
def test_no_digit_of_an_amount_can_change_without_the_statement_being_rejected(original: Path, amount: bytes) -> None:
    content = original.read_bytes()
    digits = [
        at
        for found in re.finditer(amount, content)
        for at in range(found.start(1), found.end(1))
        if content[at : at + 1].isdigit()
    ]
    assert len(digits) > 15
    for at in digits:
        other = b"%d" % ((int(content[at : at + 1]) + 1) % 10)
        found = list(statements(original.suffix, content[:at] + other + content[at + 1 :]))
        assert any(isinstance(one, NotUnderstood) and "does not add up" in str(one) for one in found)
