"""Every benchmark in small: it runs, lands what it says, and ends with its line. Nothing is timed here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
import pytest

from benchmarks import measure
from benchmarks.bigquery import loader
from benchmarks.bigquery.pruning import scans
from benchmarks.equality import unequal_tables
from benchmarks.ingestion import postgres, rebuild, stripe
from benchmarks.measure import ContestantFailed, Run, Target, contestant, report
from benchmarks.reconciliation import full_build, hourly, invoices
from sandbox.generate import generate
from tests.referee.googlesql import GoogleSQL


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


def test_the_postgres_benchmark_lands_every_row_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    # dlt has an environment of its own, which takes minutes to install.
    monkeypatch.setattr(postgres, "dlt", lambda database, folder, disposition: Run(1.0, 1.0, 1.0, {"rows": 2000}))
    monkeypatch.setattr(sys, "argv", ["postgres", "--rows", "2000", "--rounds", "1"])
    postgres.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("postgres: ")
    assert [row["rows"] for row in json.loads((results / "postgres.json").read_text())["table"]] == [
        2000,
        2000,
        200,
        2000,
        2000,
    ]


def test_the_stripe_benchmark_lands_every_charge_once_and_is_never_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    # As above; the real ones are run by `make bench`.
    for peer in ("dlt", "tap_stripe"):
        monkeypatch.setattr(stripe, peer, lambda base, folder: Run(1.0, 1.0, 1.0, {"rows": 300}))
    sizes = ["--rows", "3000", "--peers-rows", "300", "--limited-rows", "600", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["stripe", *sizes])
    stripe.main()
    assert "0.00 requests refused (at most 0)" in capsys.readouterr().out.splitlines()[-1]
    rows = [row["objects"] for row in json.loads((results / "stripe.json").read_text())["table"]]
    assert rows == [3000, 300, 300, 300, 300, 600, 2400]


def test_the_loader_benchmark_sends_every_batch_once_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two batches: one that is large enough to be sent in parts, and one that goes in a single request.
    monkeypatch.setattr(sys, "argv", ["loader", "--rows", "250000", "--rounds", "1"])
    loader.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("bigquery_loader: ")


@pytest.mark.parametrize(
    ("where", "is_pruned"),
    [
        ("where day_at >= timestamp '2026-08-01 00:00:00+00' and id is not null", True),
        (
            "join (select 1 as one) as o on day_at < timestamp_add(timestamp '2026-08-01 00:00:00+00', interval 1 day)",
            True,
        ),
        ("where day_at is not null", False),
        ("where day_at >= (select max(day_at) from p.d.t)", False),
        ("where day_at >= timestamp '2026-08-01 00:00:00+00' or id = 'x'", False),
        ("join (select timestamp '2026-08-01 00:00:00+00' as since) as o on day_at >= o.since", False),
        ("left join (select 1 as one) as o on day_at >= timestamp '2026-08-01 00:00:00+00'", False),
    ],
)
def test_partitions_are_left_out_by_constants_and_by_nothing_else(where: str, is_pruned: bool) -> None:
    session = GoogleSQL()
    session.know("p.d.t", {"id": "STRING", "day_at": "TIMESTAMP", "unused": "STRING"})
    found = scans(session, f"select id from p.d.t as t {where}", {"p.d.t": "day_at"})
    assert (found[0].table, found[0].is_pruned) == ("p.d.t", is_pruned)
    assert "unused" not in found[0].columns


def test_a_bound_reaches_through_a_query_that_is_named_where_every_reader_has_it() -> None:
    session = GoogleSQL()
    session.know("p.d.t", {"id": "STRING", "day_at": "TIMESTAMP"})
    since, named = "day_at >= timestamp '2026-08-01 00:00:00+00'", "with l as (select id, day_at from p.d.t)"
    (bounded,) = scans(session, f"{named} select id from l where {since}", {"p.d.t": "day_at"})
    (read_twice,) = scans(
        session, f"{named} select id from l where {since} union all select id from l", {"p.d.t": "day_at"}
    )
    assert (bounded.is_pruned, read_twice.is_pruned) == (True, False)


def test_the_rebuild_benchmark_sees_the_same_rows_on_both_sides_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["rebuild", "--rows", "2000", "--rounds", "1"])
    rebuild.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("rebuild: ")


def test_the_benchmark_of_invoices_finds_every_planted_difference_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], results: Path
) -> None:
    # datacompy lives in the peers' environment, which takes minutes to install.
    monkeypatch.setattr(invoices, "datacompy", lambda *sides: Run(1.0, 1.0, 1.0, {"differing": 10}))
    monkeypatch.setattr(sys, "argv", ["invoices", "--rows", "1600", "--rounds", "1"])
    invoices.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("invoices: ")
    ours, *_ = json.loads((results / "invoices.json").read_text())["table"]
    assert ours["differences"] == 18


def test_the_benchmark_of_the_full_build_makes_what_the_queries_by_hand_make_and_ends_with_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["full_build", "--events", "2000", "--customers", "10", "--months", "2"])
    full_build.main()
    assert capsys.readouterr().out.splitlines()[-1].startswith("full_build: ")


def test_the_hourly_build_after_new_and_late_events_is_what_a_full_build_makes(tmp_path: Path) -> None:
    generate(tmp_path / "dataset", customers=10, months=2, events=2000, defects="none")
    first, later = hourly.built(tmp_path / "dataset", tmp_path, news=300)
    assert "int_usage__app_daily" in later.counted
    assert first.counted.keys() == later.counted.keys()


def test_the_hourly_benchmark_ends_with_the_ratio_of_two_histories(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hourly, "generate", lambda dataset, **company: None)
    seconds = iter([10.0, 11.0])
    monkeypatch.setattr(hourly, "built", lambda *company: (Run(30, 1, 1), Run(next(seconds), 1, 1)))
    monkeypatch.setattr(sys, "argv", ["hourly"])
    hourly.main()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "hourly: 1.10 x the time with 1/10 of the history (at most 1.2)"
    )


def test_rows_that_only_one_warehouse_has_are_counted_by_table(tmp_path: Path) -> None:
    for name, rows in (("left", "(1), (2), (2)"), ("right", "(1), (2), (3)")):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as connection:
            connection.execute(
                f"create schema marts; create table marts.fct as select * from (values {rows}) as t (id)"
            )
    assert unequal_tables(tmp_path / "left.duckdb", tmp_path / "right.duckdb") == {"marts.fct": 2}


def test_a_column_that_is_left_out_need_not_be_on_both_sides_and_any_other_must(tmp_path: Path) -> None:
    for name, column in (("left", ", now() as certified_through"), ("right", "")):
        with duckdb.connect(str(tmp_path / f"{name}.duckdb")) as connection:
            connection.execute(f"create schema marts; create table marts.fct as select 1 as id{column}")
    sides = tmp_path / "left.duckdb", tmp_path / "right.duckdb"
    assert unequal_tables(*sides, without="certified_through") == {}
    with pytest.raises(AssertionError, match="certified_through"):
        unequal_tables(*sides)


def test_a_claim_that_falls_short_is_named_and_is_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    table: list[dict[str, str | float]] = [{"what": "ours", "s": 1.0}]
    kept, missed = Target("the limit's rate", 0.6, "x", at_least=0.5), Target("the peak", 501, "MB", at_most=500)
    assert (report("small", "one round", table, [kept]), report("small", "one round", table, [kept, missed])) == (0, 1)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "small: 0.60 x the limit's rate (at least 0.5); 501.00 MB the peak (at most 500: SHORT)"
    )


def test_a_contestant_is_measured_without_the_memory_of_the_process_that_started_it() -> None:
    ours = bytearray(300 << 20)
    ours[::4096] = b"x" * len(ours[::4096])
    assert contestant(sys.executable, "-c", "pass").peak_bytes < 100e6


def test_a_contestant_that_fails_says_what_it_last_said() -> None:
    with pytest.raises(ContestantFailed, match="no such table"):
        contestant(sys.executable, "-c", "raise SystemExit('no such table')")
