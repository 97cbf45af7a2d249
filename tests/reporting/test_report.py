from __future__ import annotations

import csv
import hashlib
import io
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from reporting.marts import ReportUnavailable
from reporting.render import certified, render, to_csv, to_json, verdict
from reporting.report import Report, tie_out_report
from tests.miniature import build

BREAKS = "delete from reconciliation.fct_breaks; "
TIES = BREAKS + "delete from reconciliation.rec_bridge where line not in ('left_total', 'unexplained', 'right_total');"


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return tie_out_report(build(tmp_path / "w.duckdb"))


def printed(report: Report) -> str:
    console = Console(width=100, file=io.StringIO())
    render(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_left_plus_explained_plus_unexplained_is_right_to_the_last_digit(report: Report) -> None:
    assert len(report.ties) == 16
    for tie in report.ties:
        assert tie.left_total + tie.explained + tie.unexplained == tie.right_total


def test_breaks_and_timing_add_up_to_what_the_bridge_explains(report: Report) -> None:
    for tie in report.ties:
        groups = [group for group in report.breaks + report.timing if group.comparison == tie.comparison]
        assert sum(group.effect for group in groups if group.currency == tie.currency) == tie.explained


def test_prices_are_not_added_up(tmp_path: Path) -> None:
    prices = (
        "insert into reconciliation.rec_bridge "
        "select 'rated__agreed_prices_vs_orb_prices', 'rated', '2025-01', 'USD price', no, line, 7 "
        "from (values (1, 'left_total'), (2, 'unexplained'), (3, 'right_total')) as lines (no, line)"
    )
    report = tie_out_report(build(tmp_path / "w.duckdb", prices))
    assert "USD price" not in {tie.currency for tie in report.ties}
    assert "2025-01" not in report.periods


def test_hops_come_in_the_order_of_the_pipeline(report: Report) -> None:
    assert list(dict.fromkeys(tie.comparison for tie in report.ties)) == [
        "metered__app_vs_orb",
        "invoiced__orb_vs_stripe",
        "invoiced__orb_paid_vs_stripe_paid",
        "invoiced__orb_vs_stripe_credit_notes",
        "collected__fees_vs_schedule",
        "collected__payments_vs_charges",
        "collected__invoices_vs_payments",
        "collected__refunds_vs_credit_notes",
        "collected__movements_vs_balance_transactions",
        "settled__payouts_vs_transactions",
        "settled__rolled_balance_vs_unsettled",
        "banked__payouts_vs_bank",
        "identity__app_vs_orb",
        "identity__app_vs_stripe",
    ]


def test_amounts_are_decimals_beyond_what_a_float_holds(tmp_path: Path) -> None:
    change = "update reconciliation.rec_bridge set amount = 12345678901234567.000000001 where comparison like 'banked%'"
    found = tie_out_report(build(tmp_path / "w.duckdb", change + " and line like '%_total'"))
    assert max(tie.left_total for tie in found.ties) == Decimal("12345678901234567.000000001")
    assert "12345678901234567.000000001" in to_json(found)
    assert "12345678901234567.000000001" in to_csv(found)
    assert "12,345,678,901,234,567.000000001"[:19] in printed(found)


def test_currencies_are_never_added(report: Report) -> None:
    assert {tie.currency for tie in report.ties} == {"input_tokens", "USD", "EUR", "JPY"}
    assert {(group.cause, group.currency): group.worth for group in report.breaks} == {
        ("event_missing_in_orb", "input_tokens"): Decimal(1000),
        ("invoice_currency_differs", "EUR"): Decimal(0),
        ("invoice_currency_differs", "USD"): Decimal(30),
        ("invoice_not_synced", "USD"): Decimal(50),
    }


def test_two_breaks_in_opposite_directions_do_not_cancel_in_what_they_are_worth(tmp_path: Path) -> None:
    change = (
        "insert into reconciliation.fct_breaks by name select * replace ('x' as break_id, -difference as difference) "
    )
    found = tie_out_report(
        build(tmp_path / "w.duckdb", change + "from reconciliation.fct_breaks where break_id = 'b1'")
    )
    (group,) = [group for group in found.breaks if group.cause == "invoice_not_synced"]
    assert (group.count, group.worth, group.effect) == (2, Decimal(100), Decimal(0))


def test_money_has_the_decimals_of_its_currency_and_quantities_have_none(report: Report) -> None:
    text = printed(report)
    for amount in ("9,900 ", "157.00", "30,000 ", "-1,000 ", "-80.00"):
        assert amount in text
    assert "9,900.00" not in text


def test_a_digit_below_the_minor_unit_is_shown_not_rounded_away(tmp_path: Path) -> None:
    change = "update reconciliation.rec_bridge set amount = 0.000000001 where line = 'unexplained' and currency = 'JPY'"
    found = tie_out_report(build(tmp_path / "w.duckdb", change))
    assert verdict(found) == "It does not tie: 0.000000001 JPY (invoiced) unexplained."
    assert "0.000000001" in printed(found)


def test_the_report_fits_100_columns_with_billions(tmp_path: Path) -> None:
    large = tie_out_report(
        build(
            tmp_path / "w.duckdb",
            "update reconciliation.rec_bridge set amount = amount * 1000000000 "
            "where comparison not like 'banked%' and currency <> 'USD'",
        )
    )
    text = printed(large)
    assert "30,000,000,000,000" in text
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ("", "3 breaks: 2 in money, worth 80.00 USD; 1 in metered usage. Nothing is unexplained. 40.00 USD in timing"),
        (TIES, "Everything ties: no breaks, nothing unexplained."),
        (
            "update reconciliation.fct_breaks set cause = 'unexplained' where break_id = 'b1'",
            "It does not tie: 50.00 USD",
        ),
        (BREAKS, "Everything ties: no breaks, nothing unexplained."),
    ],
)
def test_the_verdict_is_the_first_thing_read(changes: str, sentence: str, tmp_path: Path) -> None:
    found = tie_out_report(build(tmp_path / "w.duckdb", changes or "select 1"))
    assert verdict(found).startswith(sentence)
    assert sentence.split(":")[0] in printed(found).splitlines()[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ("select 1", "Certified through 2026-09-02 10:15 UTC; held back by app.usage_events."),
        (
            "update marts.dim_streams set certified_through = '2026-08-30', differing_days = 3 where stream = 'orb.invoices'",
            "Certified through 2026-08-30 00:00 UTC; held back by orb.invoices, which differs from its source on 3 days.",
        ),
        (
            "update marts.dim_streams set certified_through = null where stream = 'stripe.charges'",
            "Not certified; held back by stripe.charges.",
        ),
        (
            "update marts.dim_streams set rejected_objects = 2 where stream like '%s'",
            "Certified through 2026-09-02 10:15 UTC; held back by app.usage_events. "
            "In quarantine, for nobody could understand it: 2 of app.usage_events, 2 of orb.events, 2 of orb.invoices and 2 of "
            "stripe.charges.",
        ),
    ],
    ids=["certified", "differs", "never certified", "quarantine"],
)
def test_how_far_the_books_are_certified_and_what_is_in_quarantine_is_said_under_the_verdict(
    changes: str, sentence: str, tmp_path: Path
) -> None:
    found = tie_out_report(build(tmp_path / "w.duckdb", changes))
    assert certified(found) == sentence
    assert sentence in " ".join(printed(found).split())
    assert json.loads(to_json(found))["certified"] == sentence


def test_instants_that_a_warehouse_keeps_with_their_zone_are_the_same_ones(tmp_path: Path) -> None:
    uncertified = "update marts.dim_streams set certified_through = null where stream = 'stripe.charges';"
    zoned = "alter table marts.dim_streams alter certified_through type timestamptz"
    without, with_zone = (
        tie_out_report(build(tmp_path / f"{name}.duckdb", uncertified, change))
        for name, change in (("without", "select 1"), ("with", zoned))
    )
    assert with_zone.streams == without.streams
    assert certified(with_zone) == "Not certified; held back by stripe.charges."


def test_json_and_csv_say_it_of_every_stream(tmp_path: Path) -> None:
    change = "update marts.dim_streams set certified_through = null, rejected_objects = 7 where stream = 'orb.invoices'"
    found = tie_out_report(build(tmp_path / "w.duckdb", change))
    assert json.loads(to_json(found))["streams"][:2] == [
        {
            "stream": "app.usage_events",
            "certified_through": "2026-09-02T10:15:00+00:00",
            "differing_days": 0,
            "rejected_objects": 0,
            "is_looked_up": False,
        },
        {
            "stream": "orb.events",
            "certified_through": None,
            "differing_days": 0,
            "rejected_objects": 0,
            "is_looked_up": True,
        },
    ]
    rows = [row for row in to_csv(found).splitlines() if row.startswith(("certified,", "quarantine,"))]
    assert rows[:4] == [
        "certified,app,usage_events,2026-09-02T10:15:00+00:00,,0,",
        "certified,orb,events,,,0,",
        "certified,orb,invoices,,,0,",
        "quarantine,orb,invoices,,,7,",
    ]


def test_a_period_narrows_totals_and_breaks_but_not_what_was_kept_out(tmp_path: Path) -> None:
    july = tie_out_report(build(tmp_path / "w.duckdb"), "2026-07")
    assert [(tie.hop, tie.currency, tie.right_total) for tie in july.ties] == [
        ("metered", "input_tokens", Decimal(29000)),
        ("invoiced", "JPY", Decimal(9900)),
        ("invoiced", "USD", Decimal(77)),
        ("invoiced", "USD", Decimal(77)),
    ]
    assert [group.cause for group in july.breaks] == ["event_missing_in_orb"]
    assert (len(july.timing), len(july.excluded)) == (0, 2)
    assert verdict(july) == "1 break in 2026-07: 1 in metered usage. Nothing is unexplained."


def test_json_carries_amounts_as_strings(report: Report) -> None:
    content = json.loads(to_json(report), parse_float=lambda text: pytest.fail(f"{text} is a JSON number"))
    assert content["ties"][0]["left_total"] == "30000"
    assert content["verdict"] == verdict(report)


def test_csv_has_every_line_of_every_bridge(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    bridge = [row for row in rows if row["section"] == "bridge"]
    assert len(bridge) == sum(len(tie.items) + 3 for tie in report.ties)
    assert {row["section"] for row in rows} == {"bridge", "break", "timing", "excluded", "certified"}


def test_reading_the_report_changes_nothing(tmp_path: Path) -> None:
    warehouse = build(tmp_path / "w.duckdb")
    before = hashlib.sha256(warehouse.read_bytes()).hexdigest()
    tie_out_report(warehouse)
    assert hashlib.sha256(warehouse.read_bytes()).hexdigest() == before
    assert list(tmp_path.iterdir()) == [warehouse]


@pytest.mark.parametrize("period", ["2026-13", "2026", "july", "2026-7"])
def test_a_period_that_is_no_month_is_refused(period: str, tmp_path: Path) -> None:
    with pytest.raises(ReportUnavailable, match="a month is written like 2026-08"):
        tie_out_report(tmp_path / "w.duckdb", period)


def test_what_is_missing_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportUnavailable, match=r"there is no warehouse at .*: run the job first"):
        tie_out_report(tmp_path / "none.duckdb")
    with pytest.raises(
        ReportUnavailable, match=r"has no reconciliation\.rec_bridge yet: the job has not built the marts"
    ):
        tie_out_report(build(tmp_path / "half.duckdb", "drop table reconciliation.rec_bridge"))
    with pytest.raises(ReportUnavailable, match="nothing to compare yet"):
        tie_out_report(build(tmp_path / "empty.duckdb", "delete from reconciliation.rec_bridge"))
    with pytest.raises(ReportUnavailable, match="nothing was compared in 2020-01; there are: 2026-07, 2026-08"):
        tie_out_report(build(tmp_path / "w.duckdb"), "2020-01")


def test_a_warehouse_that_is_being_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    warehouse = build(tmp_path / "w.duckdb")
    with (
        duckdb.connect(str(warehouse)),
        pytest.raises(ReportUnavailable, match="cannot be read now, is a run writing it"),
    ):
        tie_out_report(warehouse)
