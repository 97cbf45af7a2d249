from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration.cli import app
from reporting.marts import ReportUnavailable
from reporting.page import write_page
from reporting.page.charts import Bar, Step, bars, waterfall
from reporting.page.quality import read_quality
from reporting.render import certified, render, verdict, words
from reporting.report import tie_out_report
from reporting.trail import chosen
from tests.reporting.paged import build

TROUBLE = """
update reconciliation.rec_bridge set amount = 0.000000001 where line = 'unexplained' and currency = 'JPY';
update reconciliation.rec_bridge set amount = 12345678901234567.000000001 where comparison like 'banked%' and line like '%_total';
update marts.dim_streams set certified_through = '2026-08-30', differing_days = 3 where stream = 'orb.invoices';
update marts.dim_streams set certified_through = null, rejected_objects = 2 where stream = 'stripe.charges';
create table marts.fct_check_results (
    run_id varchar, table_name varchar, expectation varchar, severity varchar, owner varchar, observed varchar, is_held boolean,
    is_newest boolean, evaluated_at timestamp
);
insert into marts.fct_check_results values
    ('early', 'marts.fct_invoices', 'Totals add up', 'critical', 'finance', '', false, false, '2026-09-01 05:00:00'),
    ('late', 'marts.fct_invoices', 'Totals add up', 'critical', 'finance', '', true, false, '2026-09-01 06:00:00'),
    ('late', 'marts.fct_payouts', 'None is early', 'warning', 'treasury', 'in 1 row: po_1', false, true, '2026-09-01 06:00:01'),
    ('next', 'marts.fct_invoices', 'Totals add up', 'critical', 'finance', 'in 2 rows: <i>', false, true, '2026-09-02 06:00:00');
"""
AMOUNT = re.compile(r"-?[\d,]*\d(\.\d+)?|-")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("paged") / "w.duckdb")


@pytest.fixture(scope="module")
def page(warehouse: Path) -> str:
    return written(warehouse)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of a warehouse of which much is wrong, with checks that found it."""
    return written(build(tmp_path_factory.mktemp("troubled") / "w.duckdb", TROUBLE))


def written(warehouse: Path, *changes: str, **chosen: str) -> str:
    if changes:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute(";".join(changes))
    path = warehouse.with_suffix(".html")
    write_page(warehouse, path, **chosen)
    return path.read_text(encoding="utf-8")


def section(page: str, id: str) -> str:
    return page.split(f'id="{id}"')[1].split("</section>")[0]


def cells(page: str, row: str = "tr") -> list[list[str]]:
    """The texts of the cells of each table row that has any figures."""
    rows = re.findall(rf"<{row}[ >].*?</tr>", page, re.DOTALL)
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", each, re.DOTALL) for each in rows]
    return [[html.unescape(re.sub("<.*?>", "", cell)).strip() for cell in each] for each in found]


def alts(page: str) -> list[str]:
    return [html.unescape(alt) for alt in re.findall(r'role="img" aria-label="([^"]*)"', page)]


def texts(svg: str) -> list[str]:
    return [html.unescape(text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def figures(line: Iterable[str]) -> list[str]:
    return [word for word in line if AMOUNT.fullmatch(word)]


# The figures.


def test_every_row_of_figures_that_the_terminal_prints_is_a_row_of_the_page_in_its_order(
    warehouse: Path, page: str
) -> None:
    console = Console(width=100, file=io.StringIO())
    render(tie_out_report(warehouse), console)
    assert isinstance(console.file, io.StringIO)
    _, _, printed = console.file.getvalue().partition("What ties")
    terminal = [row for line in printed.splitlines()[1:] if (row := figures(line.split()))]
    tables = section(page, "totals") + section(page, "causes")
    shown = [row for each in cells(tables) if (row := figures(each[:5]))]
    assert shown == terminal
    assert len(terminal) > 20


def test_the_verdict_and_the_certificate_are_the_terminals(warehouse: Path, page: str) -> None:
    report = tie_out_report(warehouse)
    assert f"<b>{verdict(report)}</b>{certified(report)}" in page


def test_a_waterfall_writes_every_amount_of_its_bridge_and_says_it_to_who_does_not_see(
    warehouse: Path, page: str
) -> None:
    (shown,) = [alt for alt in alts(page) if "Orb to Stripe, USD" in alt]
    assert shown == (
        "Waterfall, Orb to Stripe, USD: Orb 157.00; invoice not synced -50.00; invoice currency differs -30.00; Stripe 77.00."
    )
    (svg,) = re.findall(r"Orb to Stripe, USD:.*?(<svg.*?</svg>)", page, re.DOTALL)
    assert {"157.00", "-50.00", "-30.00", "77.00", "invoice not synced"} <= set(texts(svg))


def test_every_bridge_that_has_anything_between_its_totals_has_a_waterfall(warehouse: Path, page: str) -> None:
    drawn = [alt for alt in alts(page) if alt.startswith("Waterfall")]
    for tie in tie_out_report(warehouse).ties:
        for item in (each for each in tie.items if each.amount):
            assert any(f", {tie.currency}: " in alt and f"{words(item.line)} " in alt for alt in drawn), (tie, item)


def test_what_is_unexplained_is_in_the_waterfall_and_first_on_the_page(troubled: str) -> None:
    assert any("unexplained 0.000000001; Stripe 9,900.000000000." in alt for alt in alts(troubled))
    assert 'class="verdict open"' in troubled
    assert "not all explained" in section(troubled, "glance")


def test_amounts_beyond_what_a_float_holds_keep_every_digit(troubled: str) -> None:
    assert troubled.count("12,345,678,901,234,567.000000001") >= 3


def test_breaks_of_all_ages_are_worth_what_the_report_says_they_are(warehouse: Path, page: str) -> None:
    rows = cells(section(page, "breaks").split('id="ages"')[1])
    assert rows[0] == ["age", "in money", "in usage", "USD"]
    assert rows[1:] == [
        ["0-1 days", "1", "1", "30.00"],
        ["2-7 days", "0", "0", "0.00"],
        ["8-30 days", "0", "0", "0.00"],
        ["31-90 days", "1", "0", "50.00"],
        ["91+ days", "0", "0", "0.00"],
    ]
    assert sum(Decimal(row[3]) for row in rows[1:]) == sum(
        group.worth for group in tie_out_report(warehouse).breaks if group.currency == "USD"
    )


def test_the_oldest_break_of_a_cause_is_told_in_days(page: str) -> None:
    ages = {row[0]: row[5] for row in cells(section(page, "causes")) if len(row) == 6}
    assert (ages["invoice not synced"], ages["event missing in Orb"]) == ("40", "0")


def test_a_period_narrows_bridge_breaks_and_trail(warehouse: Path) -> None:
    july = written(warehouse, period="2026-07")
    assert "Tie-out report, 2026-07" in july
    assert "invoice not synced" not in july
    assert "used in 2026-07" in july


# Freshness and history.


def test_a_stream_that_is_late_incomplete_or_in_quarantine_says_so(troubled: str) -> None:
    rows = {row[0]: row[1:] for row in cells(section(troubled, "freshness")) if len(row) == 3}
    assert rows["invoices"] == ["2026-08-30 00:00", "3 days behind, 3 days differ"]
    assert rows["charges"] == ["-", "not certified, 2 in quarantine"]
    assert rows["usage_events"] == ["2026-09-02 10:15", "complete"]
    assert rows["events"] == ["-", "looked up as needed"]
    assert any("Orb: invoices 3 days behind; Stripe: charges not certified." in alt for alt in alts(troubled))


def test_the_history_counts_what_was_open_came_and_went_each_day(warehouse: Path, page: str) -> None:
    days = {
        f"{day.day:%m-%d}": (day.money, day.usage, day.found, day.resolved)
        for day in read_quality(warehouse, None).days
    }
    assert len(days) == 41
    assert days["07-24"] == (2, 0, 2, 0)
    assert days["08-29"] == (2, 0, 0, 0)
    assert days["08-30"] == (1, 0, 0, 1)
    assert days["09-02"] == (2, 1, 2, 0)
    assert any(
        "2 in money and 1 in usage on 2026-09-02; since 2026-07-24 at most 3 in all" in alt for alt in alts(page)
    )


def test_the_history_has_the_checks_and_what_does_not_hold_where_there_are_results_of_them(
    page: str, troubled: str
) -> None:
    told = [alt for alt in alts(troubled) if "Checks that did not" in alt]
    assert "Checks" not in section(page, "history")
    assert cells(section(troubled, "history"))[1:] == [
        ["marts.fct_invoices", "Totals add up", "in 2 rows: <i>", "critical", "finance"],
        ["marts.fct_payouts", "None is early", "in 1 row: po_1", "warning", "treasury"],
    ]
    assert told == [
        "Columns, Checks that did not hold in each day's last run: 0 warned and 1 failed on 2026-09-02, 0 held; "
        "since 2026-09-01 at most 1 did not, on 2026-09-01."
    ]


# The money trail.


def test_the_trail_is_the_largest_customers_at_the_newest_rates_unless_one_is_named(warehouse: Path) -> None:
    def of(customer: str | None = None, month: str | None = None) -> tuple[str, str]:
        found = chosen(warehouse, customer, month)
        assert found is not None
        return found.trails[0].customer_id, found.trails[0].period

    assert of() == ("acct_0001", "2026-07")  # 100 USD; 9,900 JPY are 66.33
    assert of(customer="acct_0002") == ("acct_0002", "2026-07")
    assert of(month="2026-08") == ("acct_0001", "2026-08")
    assert chosen(warehouse, month="2020-01") is None


def test_a_customer_without_money_and_a_month_that_is_none_are_told(warehouse: Path) -> None:
    with pytest.raises(ReportUnavailable, match="no money of acct_0002 in 2026-08: leave the month out"):
        chosen(warehouse, "acct_0002", "2026-08")
    with pytest.raises(ReportUnavailable, match="no money of nobody in any month"):
        chosen(warehouse, "nobody")
    with pytest.raises(ReportUnavailable, match="a month is written like 2026-08"):
        chosen(warehouse, month="july")


def test_the_trail_leads_from_the_meter_to_the_bank_and_to_the_books(warehouse: Path) -> None:
    page = written(warehouse, customer="acct_0001", month="2026-08")
    assert "Money trail of Birch, &lt;Works&gt; &amp; &#34;Sons&#34;" in page
    to_bank, to_books = [alt for alt in alts(page) if "From usage to" in alt]
    assert to_bank == (
        "Waterfall, From usage to the bank, USD: metered 91.000000001; not rated -1.00; rated 90.000000001; "
        "paid by credit -20.00; tax 8.00; invoiced 78.000000001; not collected -10.00; collected 68.000000001; "
        "paid in advance 40.00; refunded -3.00; fees -2.00; settled 103.000000001; banked 103.000000001."
    )
    assert "rated 90.000000001; of what was rated, not recognised -5.00; recognised 85.000000001." in to_books


# The charts.


@dataclass(frozen=True)
class Drawn:
    colour: str
    left: Decimal
    right: Decimal


def rects(svg: str) -> list[Drawn]:
    found = re.findall(r'<path d="M([\d.e-]+),[\d.]+h([\d.]+)[^"]*" fill="var\(--([\w-]+)\)"', svg)
    return [Drawn(colour, Decimal(x), Decimal(x) + Decimal(width)) for x, width, colour in found]


def test_each_bar_of_a_waterfall_begins_where_the_one_before_it_ended() -> None:
    steps = [
        Step("a", Decimal(100), "", "total"),
        Step("b", Decimal(-60), "", "fall"),
        Step("c", Decimal(20), "", "rise"),
    ]
    first, fall, rise, last = rects(waterfall("w", [*steps, Step("d", Decimal(60), "", "total")]).svg)
    assert (first.left, first.right) == (Decimal(0), Decimal(340))
    assert (fall.right, fall.left) == (first.right, rise.left)
    assert rise.right == last.right == Decimal(204)


def test_totals_are_cut_and_marked_where_what_lies_between_would_not_be_seen() -> None:
    steps = [Step("a", Decimal(1000000), "", "total"), Step("b", Decimal(1), "", "rise")]
    svg = waterfall("w", [*steps, Step("c", Decimal(1000001), "", "total")]).svg
    _, rise, _ = rects(svg)
    assert rise.right - rise.left > 200
    assert texts(svg).count("//") == 2


@pytest.mark.parametrize("amounts", [(0, 0), (-5, -3), (7, 7)])
def test_nothing_and_what_is_below_nothing_are_drawn(amounts: tuple[int, int]) -> None:
    svg = waterfall("w", [Step(str(each), Decimal(each), "", "total") for each in amounts]).svg
    assert len(rects(svg)) == sum(each != 0 for each in amounts)


def test_a_label_that_does_not_fit_beside_its_amount_is_cut_and_whole_in_words() -> None:
    chart = bars("b", [Bar("x" * 60, "1,000.00", (("bar", Decimal(1)),))])
    assert f"{'x' * 45}…" in texts(chart.svg)
    assert "x" * 60 in chart.alt


def luminance(colour: str) -> float:
    whole = colour if len(colour) == 7 else "#" + "".join(each * 2 for each in colour[1:])
    channels = [int(whole[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_colour_that_charts_draw_with_stands_out_from_the_paper_by_daylight_and_in_the_dark(page: str) -> None:
    schemes = [
        dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    ]
    assert [len(scheme) for scheme in schemes] == [len(schemes[0])] * 2
    for scheme in schemes:
        for graphic in (
            "total",
            "rise",
            "fall",
            "timing",
            "bar",
            "unexplained",
            "good",
            "warn",
            "link",
            *(f"age-{no}" for no in range(5)),
        ):
            assert contrast(scheme[graphic], scheme["paper"]) >= 3, graphic
        ages = [contrast(scheme[f"age-{no}"], scheme["paper"]) for no in range(5)]
        assert ages == sorted(ages)


# The file.


def test_the_page_needs_nothing_beside_it_and_runs_nothing(page: str) -> None:
    assert not re.search(r"<script|<link|<img|<iframe|\bsrc=|@import|url\(|\bon\w+=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {
        f"#{id}" for id in ("bridge", "breaks", "freshness", "history", "trail", "totals", "causes")
    }


def test_the_same_warehouse_gives_the_same_bytes(warehouse: Path, page: str) -> None:
    assert written(warehouse) == page


def test_a_warehouse_whose_tables_are_copied_gives_the_same_page(warehouse: Path, page: str, tmp_path: Path) -> None:
    class Copied:
        def copy(self, names: Iterable[str], into: duckdb.DuckDBPyConnection) -> list[str]:
            into.execute(f"attach if not exists '{warehouse}' as file (read_only)")
            found = {name for (name,) in into.execute("select schema || '.' || name from (show all tables)").fetchall()}
            for name in (each for each in names if each in found):
                into.execute(
                    f"create schema if not exists {name.split('.')[0]}; create table {name} as from file.{name}"
                )
            return [each for each in names if each not in found]

        def payload(self, batch_id: str, payload_hash: str) -> str:
            raise AssertionError(f"the page shows no payload, asks for {payload_hash} of {batch_id}")

    write_page(Copied(), tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page


def test_a_world_where_everything_ties_still_shows_its_bridge(tmp_path: Path) -> None:
    ties = (
        "delete from reconciliation.fct_breaks; delete from marts.fct_excluded_rows; delete from reconciliation.fct_money_trail; "
        "delete from reconciliation.rec_bridge where line not in ('left_total', 'unexplained', 'right_total')"
    )
    page = written(build(tmp_path / "w.duckdb", ties))
    assert 'class="verdict tied"' in page
    assert "None: every system says the same." in page
    assert "No break was ever seen, and no check has run." in page
    assert "No customer has any money in it." in page
    assert 'id="causes"' not in page
    assert len([alt for alt in alts(page) if alt.startswith("Waterfall")]) >= 5


def test_the_command_writes_the_page_and_says_where(
    warehouse: Path, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIEOUT_WAREHOUSE", str(warehouse))
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["report", "--html", "report.html"])
    assert (told.exit_code, told.output) == (0, "report.html\n")
    assert Path("report.html").read_text(encoding="utf-8") == page
    named = ["report", "--html", "report.html", "--customer", "acct_0002", "--month", "2026-07"]
    assert CliRunner().invoke(app, named).exit_code == 0
    assert "Money trail of acct_0002" in Path("report.html").read_text(encoding="utf-8")
    refused = CliRunner().invoke(app, ["report", "--html", "report.html", "--customer", "nobody"])
    assert (refused.exit_code, "no money of nobody" in refused.output) == (1, True)


def test_a_customer_without_a_page_to_show_it_on_is_refused() -> None:
    refused = CliRunner().invoke(app, ["report", "--customer", "acct_0001"])
    assert refused.exit_code == 2
    assert "the money trail is on the page" in refused.output
