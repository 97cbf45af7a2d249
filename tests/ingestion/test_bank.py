from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.certificate import certify
from ingestion.settings import Settings
from ingestion.streams import stream_named
from ingestion.sync import sync
from tests.ingestion.conftest import landed

LINES = stream_named("bank.statement_lines")
HEADER = "line_id,account_id,booked_on,value_on,amount,currency,description,reference,balance"
FIRST = "1,acc,2026-11-02,2026-11-02,100.10,USD,STRIPE PAYOUT,po_1,100.10"
SECOND = '2,acc,2026-11-03,2026-11-03,-0.10,USD,"FEE, MONTHLY",,100.00'


@pytest.fixture
def bank_settings(settings: Settings, tmp_path: Path) -> Settings:
    """With one good statement of two lines, which is read last."""
    folder = tmp_path / "statements"
    folder.mkdir()
    (folder / "zzz.csv").write_text("\n".join((HEADER, FIRST, SECOND)) + "\n")
    return Settings(**{**vars(settings), "bank_statements": folder})


def _write(settings: Settings, content: bytes, name: str = "aaa.csv") -> None:
    assert settings.bank_statements is not None
    (settings.bank_statements / name).write_bytes(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"date,amount\n2026-11-02,1\n", "its columns are"),
        (f"{HEADER}\n{FIRST}\n9,acc,2026-11-04\n".encode(), "line 3 has more or fewer values"),
        (f"{HEADER}\n{FIRST},surplus\n".encode(), "line 2 has more or fewer values"),
        (f"{HEADER}\n{FIRST.replace('100.10', '1e2')}\n".encode(), "amount of line 2 is not a decimal: '1e2'"),
        (f"{HEADER}\n{FIRST.replace(',100.10,USD', ',NaN,USD')}\n".encode(), "'NaN'"),
        (f"{HEADER}\n{FIRST.removesuffix('100.10')}\n".encode(), "balance of line 2 is not a decimal: ''"),
        (f"{HEADER}\n{FIRST.replace('2026-11-02', '02.11.2026')}\n".encode(), "02.11.2026"),
        (f'{HEADER}\n1,acc,2026-11-02,2026-11-02,1,USD,"never closed,po_1,1\n'.encode(), "end of data"),
        (f"{HEADER}\n{FIRST}\n".encode("utf-16"), "utf-8"),
        (b"", "its columns are None"),
        (
            "\n".join((HEADER, FIRST, SECOND.replace("-0.10", "-0.11"))).encode(),
            "make 99.99, not 100.00: a line is missing",
        ),
    ],
)
def test_a_file_that_is_no_statement_goes_to_quarantine_whole_and_the_others_land(
    bank_settings: Settings, content: bytes, reason: str
) -> None:
    _write(bank_settings, content)
    result = sync(LINES, bank_settings)
    assert (result.rows, result.rejected) == (2, 1)
    ((told, original),) = landed(bank_settings, "raw_quarantine.rejected", "reason, original")
    assert str(told).startswith("aaa.csv is not a statement: ")
    assert reason in str(told)
    assert original == content
    assert certify(result, bank_settings).is_complete


def test_a_file_that_was_mended_lands_with_the_next_run(bank_settings: Settings) -> None:
    _write(bank_settings, b"date,amount\n")
    sync(LINES, bank_settings)
    _write(bank_settings, f"{HEADER}\n{FIRST.replace('1,acc', '1,other')}\n".encode())
    assert sync(LINES, bank_settings).rows == 1


def test_the_same_statement_under_another_name_lands_once(bank_settings: Settings) -> None:
    _write(bank_settings, "\n".join((HEADER, FIRST, SECOND)).encode(), "sent again.csv")
    assert sync(LINES, bank_settings).rows == 2
    assert sync(LINES, bank_settings).rows == 0


def test_every_value_lands_as_the_text_that_the_bank_wrote(bank_settings: Settings) -> None:
    sync(LINES, bank_settings)
    found = landed(
        bank_settings,
        "raw_bank.statement_lines",
        "object_id, payload ->> 'amount', payload ->> 'description', json_type(payload, '$.amount')",
    )
    assert found == [
        ("acc/1", "100.10", "STRIPE PAYOUT", "VARCHAR"),
        ("acc/2", "-0.10", "FEE, MONTHLY", "VARCHAR"),
    ]
