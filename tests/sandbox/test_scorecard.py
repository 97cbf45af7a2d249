from __future__ import annotations

import ast
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sandbox import scorecard
from sandbox.scorecard import Scorecard, quote, render, score
from sandbox.servers.orb import Orb
from sandbox.servers.stripe import Stripe
from tests.miniature import build
from tests.sandbox.conftest import NOW, client, write_lines

ROOT = Path(__file__).parents[2]
FIELDS = ("comparison", "match_key", "customer_id", "period", "currency", "left_ref", "right_ref", "status", "cause")

# What is planted in the miniature warehouse, written as an answer key.
ORB_VS_STRIPE, BANKED, METERED = "invoiced__orb_vs_stripe", "banked__payouts_vs_bank", "metered__app_vs_orb"
KEY: list[tuple[str | None, ...]] = [
    (ORB_VS_STRIPE, "inv_3", "acct_0001", "2026-08", "USD", "inv_3", None, "break", "invoice_not_synced", "50.00"),
    (ORB_VS_STRIPE, "inv_5", "acct_0001", "2026-08", "USD", "inv_5", "in_5", "break", "invoice_currency_differs", "30"),
    (BANKED, "po_3", None, "2026-08", "USD", "po_3", None, "timing", "deposit_late", "40.0"),
    (METERED, "acct_0001/input_tokens/2026-07-02", "acct_0001", "2026-07", "input_tokens", "a", "o", "break",
     "event_missing_in_orb", "1000"),
    (None, "ch_test", None, None, "USD", None, None, "excluded", "test_mode_row", "12.00"),
    (None, "acct_0009", "acct_0009", None, "USD", None, None, "excluded", "internal_account", "33.00"),
    (BANKED, "usd/9", None, "2026-08", "USD", "po_1,po_2", "usd/9", "matched", "deposit_combined", "0"),
]  # fmt: skip
COMBINED = """
create table reconciliation.rec_banked__payouts_vs_bank as
select * replace ('usd/9' as match_key, 'po_1,po_2' as left_ref, 'usd/9' as right_ref, 0.00 as difference,
    'matched' as status, null as cause)
from reconciliation.fct_breaks where break_id = 'b3';
"""


def card(folder: Path, *changes: str) -> Scorecard:
    lines = [dict(zip((*FIELDS, "difference"), line, strict=True)) for line in KEY]
    write_lines(folder / "answer_key.jsonl", lines)
    return score(folder, build(folder / "w.duckdb", COMBINED, *changes))


def test_everything_planted_and_nothing_else_is_perfect(tmp_path: Path) -> None:
    perfect = card(tmp_path)
    assert perfect.perfect
    assert perfect.summary == "7 of 7 planted found, 0 false alarms (target: all, 0)"


@pytest.mark.parametrize(
    "change",
    [
        *(f"{field} = 'else'" for field in FIELDS),
        "difference = difference + 0.000000001",
    ],
)
def test_a_break_that_is_wrong_in_one_field_is_missed_and_a_false_alarm(change: str, tmp_path: Path) -> None:
    wrong = card(tmp_path, f"update reconciliation.fct_breaks set {change} where break_id = 'b1'")
    assert (wrong.found.total(), wrong.missed.total(), wrong.false_alarms.total()) == (6, 1, 1)
    assert not wrong.perfect


def test_the_same_break_named_twice_is_one_found_and_one_false_alarm(tmp_path: Path) -> None:
    again = "insert into reconciliation.fct_breaks from reconciliation.fct_breaks where break_id = 'b1'"
    twice = card(tmp_path, again)
    assert (twice.found.total(), twice.missed.total(), twice.false_alarms.total()) == (7, 0, 1)
    assert twice.summary == "7 of 7 planted found, 1 false alarms (target: all, 0)"


@pytest.mark.parametrize("column", ["amount = amount + 1", "currency = 'EUR'", "cause = 'test_mode_row'"])
def test_a_row_kept_out_with_the_wrong_money_or_reason_is_not_found(column: str, tmp_path: Path) -> None:
    wrong = card(tmp_path, f"update marts.fct_excluded_rows set {column} where cause = 'internal_account'")
    assert (wrong.missed.total(), wrong.false_alarms.total()) == (1, 1)


@pytest.mark.parametrize("column", ["status = 'break'", "left_ref = 'po_1'", "match_key = 'po_1'"])
def test_a_combined_deposit_that_is_not_matched_as_one_is_missed(column: str, tmp_path: Path) -> None:
    assert card(tmp_path, f"update reconciliation.rec_banked__payouts_vs_bank set {column}").missed.total() == 1


def test_the_table_counts_by_class_and_quotes_what_is_wrong(tmp_path: Path) -> None:
    console = Console(width=100, file=io.StringIO(), record=True)
    short = card(tmp_path, "delete from reconciliation.fct_breaks where break_id = 'b1'")
    render(short, console)
    quote(short, console)
    text = console.export_text()
    assert re.search(r"invoice_not_synced +1 +0 +1 +0", text)
    assert "missed: Finding(cause='invoice_not_synced'" in text


def test_what_one_world_misses_is_not_found_by_what_another_makes_up(tmp_path: Path) -> None:
    perfect = card(tmp_path)
    missing = Scorecard.of(perfect.planted, perfect.planted - perfect.planted)
    made_up = Scorecard.of(perfect.planted - perfect.planted, perfect.planted)
    assert (missing + made_up).summary == "0 of 7 planted found, 7 false alarms (target: all, 0)"


@pytest.mark.parametrize(("change", "code"), [("select 1", 0), ("delete from reconciliation.fct_breaks", 1)])
def test_the_command_exits_non_zero_when_it_falls_short(
    change: str, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def job(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        build(Path(command[command.index("--warehouse") + 1]), COMBINED, change)
        return subprocess.CompletedProcess(command, 0)

    card(tmp_path)
    monkeypatch.setattr(scorecard, "generate", lambda out, **_: shutil.copytree(tmp_path, out))
    monkeypatch.setattr(subprocess, "run", job)
    monkeypatch.setattr(sys, "argv", ["scorecard", "--seed", "3", "--seeds", "2", "--defects", "all", "none"])
    assert scorecard.main() == code
    *_, summary = capfd.readouterr().out.splitlines()
    assert summary.startswith(f"scorecard: worlds: 4, {28 - 16 * code} of 28 planted found, 0 false alarms")


def test_a_job_that_fails_is_not_scored_and_its_output_is_shown(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failed = subprocess.CalledProcessError(3, "tieout", output="no room on the disk")

    def job(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        raise failed

    monkeypatch.setattr(scorecard, "generate", lambda out, **_: None)
    monkeypatch.setattr(subprocess, "run", job)
    monkeypatch.setattr(sys, "argv", ["scorecard"])
    with pytest.raises(SystemExit) as ended:
        scorecard.main()
    assert ended.value.code == 1
    said = capfd.readouterr().err
    assert "no room on the disk" in said
    assert "the job ended with 3 (target: 0)" in said


def naming_the_answer_key(tree: Path) -> set[str]:
    """Files below `tree`, tests aside, whose code names the answer key; prose (docstrings, comments) may."""
    rooms = [each for each in tree.iterdir() if each.name != "tests" and not each.name.startswith(".")]
    found = set()
    for path in [each for room in [*rooms, tree / ".ci"] for each in (room, *room.rglob("*")) if each.is_file()]:
        name = path.relative_to(tree)
        if path.suffix == ".py":
            module = ast.parse(path.read_text())
            prose = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
            strings = (node for node in ast.walk(module) if isinstance(node, ast.Constant) and id(node) not in prose)
            texts = [node.value for node in strings if isinstance(node.value, str)]
            imports = (node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom))
            texts += [ast.unparse(node) for node in imports]
        elif path.suffix in (".sql", ".yml", ".yaml", ".toml", ".sh", ".lkml") or name.name in ("Makefile", "run"):
            texts = [path.read_text()]
        else:
            continue
        if any("answer_key" in text or "answer-key" in text for text in texts):
            found.add(str(name))
    return found


def test_no_code_but_the_two_that_judge_reads_the_answer_key_or_the_true_books() -> None:
    assert naming_the_answer_key(ROOT) == {
        "Makefile",  # starts them
        "sandbox/generate.py",  # writes both
        "sandbox/answer_key.py",
        "sandbox/scorecard.py",
    }


def test_a_reader_of_the_answer_key_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "marts").mkdir()
    (tmp_path / "marts" / "cheat.sql").write_text("select * from read_json('answer_key.jsonl')")
    (tmp_path / "cheat.py").write_text('"""Innocent."""\nopen(dataset / "answer_key.jsonl")\n')
    (tmp_path / "books.py").write_text('open(dataset / "answer_key_books.jsonl")\n')
    (tmp_path / "judge.py").write_text("from sandbox import answer_key\n")
    (tmp_path / "prose.py").write_text('"""Never reads answer_key.jsonl."""  # nor answer_key\n')
    assert naming_the_answer_key(tmp_path) == {"marts/cheat.sql", "cheat.py", "books.py", "judge.py"}


@pytest.mark.parametrize("secret", ["answer_key", "answer_key_books"])
def test_the_servers_neither_read_nor_serve_the_answer_key(secret: str, dataset: Path, tmp_path: Path) -> None:
    served = tmp_path / "dataset"
    shutil.copytree(dataset, served)
    (served / f"{secret}.jsonl").write_text("a server that reads this line cannot start")
    for api in (client(Stripe(served, "key"), "key"), client(Orb(served, "key", NOW), "key", "/v1")):
        for path in (
            f"/{secret}",
            f"/{secret}.jsonl",
            f"/v1/{secret}",
            f"/v1/../{secret}.jsonl",
            "/v1/customers/..",
        ):
            response = api.get(path)
            assert response.status_code == 404
            assert "cannot start" not in response.text
            assert json.loads(response.text)
