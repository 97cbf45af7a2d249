"""The report as one page that needs nothing beside it and runs nothing: for a screen, a phone, paper and a screen reader."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reporting.marts import Warehouse
from reporting.page import breaks, bridge, freshness, history, overview
from reporting.page.quality import AGES, Quality, read_quality
from reporting.render import certified, verdict, words
from reporting.report import Report, tie_out_report
from reporting.trail import Chosen, chosen


def write_page(
    warehouse: Warehouse, path: Path, period: str | None = None, customer: str | None = None, month: str | None = None
) -> None:
    """Write the report of the period, or of all of them, to `path`, with the money trail of the customer's month; what of both is
    left out is chosen: the largest.

    Raises ReportUnavailable where there is nothing to report from, or the customer has no money in the month.
    """
    report = tie_out_report(warehouse, period)
    quality = read_quality(warehouse, period)
    shown = chosen(warehouse, customer, month or period)
    path.write_text(_page(report, quality, shown), encoding="utf-8", newline="\n")


def _page(report: Report, quality: Quality, shown: Chosen | None) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = words
    return environment.get_template("page.html").render(
        scope=report.period or " to ".join(dict.fromkeys((report.periods[0], report.periods[-1]))),
        state=overview.state_of(report),
        verdict=verdict(report),
        certified=certified(report),
        tiles=overview.tiles(report),
        hops=overview.hops(report),
        bridges=bridge.bridges(report),
        age_names=AGES,
        worth=breaks.charts(quality.aged, report),
        ages=breaks.ages(quality.aged, report),
        lag=freshness.lag(report),
        sources=freshness.sources(report),
        checked=bool(quality.checks),
        broken=quality.broken,
        history=history.charts(quality),
        shown=shown,
        trails=[bridge.trail(each, report) for each in shown.trails] if shown else [],
        totals=bridge.totals(report),
        breaks=breaks.listed(report.breaks, "break", quality.aged, report),
        timing=breaks.listed(report.timing, "timing", quality.aged, report),
        excluded=breaks.excluded(report),
    )
