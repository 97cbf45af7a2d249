"""Charts as SVG that stands in a page: Vega-Lite draws them, the page's style sheet gives the colours and the font.

Each is 340 units wide: it fills a phone, and two or three stand side by side on a desk or on paper. What is written is a text,
digit for digit; a float only says where a bar ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

_WIDTH = 340
_ROW, _TEXT, _TOP, _BOTTOM = 32, 11, 17, 26
_LETTERS = 54
_CUT = 12.0
_SHORTEST = 1.4
_PLOT, _LEAST_DAYS = 300, 30


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, and what it shows in words for who does not see it."""

    title: str
    svg: Markup
    alt: str


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a total, which stands from nothing, or what leads from the total before it to the next one. `colour`
    is one of the page's, `total` that of totals."""

    label: str
    amount: Decimal
    told: str
    colour: str

    @property
    def is_total(self) -> bool:
        return self.colour == "total"


@dataclass(frozen=True)
class Bar:
    """A bar with what is written above it, made of parts one after the other, each of a colour of the page and a length."""

    label: str
    told: str
    parts: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Column:
    """A day of a history, made of parts one on the other, each of a colour of the page and a number."""

    day: date
    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Row:
    label: str
    told: str
    is_strong: bool
    spans: tuple[tuple[str, Decimal, Decimal], ...]


def waterfall(title: str, steps: Sequence[Step]) -> Chart:
    """One row a step, from top to bottom; each begins where the one before it ended.

    Where what lies between the totals would be too short to see beside them, the totals are cut on their left, with a mark: what
    leads from one to the other is to scale.
    """
    begins: list[Decimal] = []
    ends: list[Decimal] = []
    for step in steps:
        begins.append(Decimal(0) if step.is_total else ends[-1])
        ends.append(begins[-1] + step.amount)
    least, most = min(ends), max(ends)
    is_cut = least > 2 * (most - least) > 0
    left = least - (most - least) / 2 if is_cut else min(least, Decimal(0))
    rows = [
        _Row(step.label, step.told, step.is_total, ((step.colour, max(begin, left), end),))
        for step, begin, end in zip(steps, begins, ends, strict=True)
    ]
    cuts = [no for no, step in enumerate(steps) if is_cut and step.is_total]
    return Chart(title, _rows(rows, left, max(most, Decimal(0)), ends[:-1], cuts), _alt("Waterfall", title, rows))


def bars(title: str, bars: Sequence[Bar], reach: Decimal = Decimal(0)) -> Chart:
    """One row a bar, all to one scale, on which there is room for `reach` at least."""
    rows = []
    for bar in bars:
        end, spans = Decimal(0), []
        for colour, length in bar.parts:
            spans.append((colour, end, end + length))
            end += length
        rows.append(_Row(bar.label, bar.told, False, tuple(spans)))
        reach = max(reach, end)
    return Chart(title, _rows(rows, Decimal(0), reach), _alt("Bars", title, rows))


def by_day(title: str, columns: Sequence[Column], told: str) -> Chart:
    """One column a day until the last, over thirty days at least; `told` says in words what they show."""
    rects, most = [], 1
    for column in columns:
        reached = 0
        for colour, number in column.parts:
            day = column.day.isoformat()
            rects.append({"day": day, "y": reached, "y2": reached + number, "fill": f"var(--{colour})"})
            reached += number
        most = max(most, reached)
    last = columns[-1].day
    first = min(columns[0].day, last - timedelta(days=_LEAST_DAYS - 1))
    each = _PLOT / ((last - first).days + 1)
    ends = [first.isoformat(), last.isoformat()]
    across = {
        "timeUnit": "utcyearmonthdate",
        "field": "day",
        "type": "temporal",
        "scale": {"domain": ends, "padding": each},
        "axis": {"values": ends, "format": "%Y-%m-%d", "labelFlush": True, "grid": False},
    }
    down = {"scale": {"domain": [0, most]}, "axis": {"tickCount": 3, "tickMinStep": 1, "format": ",d"}}
    mark = {"type": "bar", "width": max(1.0, 0.7 * each)}
    layer = _layer(mark, rects, x=across, y=down, y2={}, fill={"scale": None})
    svg = _svg({"width": _WIDTH, "height": 132, "autosize": {"type": "fit", "contains": "padding"}, **layer})
    return Chart(title, svg, f"Columns, {title}: {told}.")


def _alt(kind: str, title: str, rows: Sequence[_Row]) -> str:
    return f"{kind}, {title}: {'; '.join(f'{row.label} {row.told}' for row in rows)}."


def _rows(
    rows: Sequence[_Row], left: Decimal, right: Decimal, links: Sequence[Decimal] = (), cuts: Sequence[int] = ()
) -> Markup:
    """Each row's text above its bar, on a scale from left to right. A link leads down from where the row of its number ends; a
    cut marks the bar of the row that it names."""
    scale = _WIDTH / (right - left if right != left else Decimal(1))

    def at(amount: Decimal) -> float:
        return float((amount - left) * scale)

    rects: list[dict[str, Any]] = []
    texts: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for no, row in enumerate(rows):
        top = no * _ROW
        room = _LETTERS - len(row.told)
        label = row.label if len(row.label) <= room else f"{row.label[: max(room, 8) - 1]}…"
        for text, align, end in ((label, "left", 0), (row.told, "right", _WIDTH)):
            weight = 600 if row.is_strong else 400
            texts.setdefault((align, weight), []).append({"x": end, "y": top + _TEXT, "text": text})
        for colour, *ends in row.spans:
            if ends[0] != ends[1]:
                start, stop = sorted(map(at, ends))
                across = {"x": start, "x2": max(stop, start + _SHORTEST), "fill": f"var(--{colour})"}
                rects.append({**across, "y": top + _TOP, "y2": top + _BOTTOM})
    lines = [{"x": at(end), "y": no * _ROW + _BOTTOM, "y2": (no + 1) * _ROW + _TOP} for no, end in enumerate(links)]
    marks = [{"x": _CUT, "y": no * _ROW + (_TOP + _BOTTOM) / 2, "text": "//"} for no in cuts]
    height = len(rows) * _ROW - (_ROW - _BOTTOM) + 1
    x, y = ({"scale": {"domain": [0, reach], "range": [0, reach]}, "axis": None} for reach in (_WIDTH, height))
    written = {"type": "text", "fontSize": 12}
    layers = [
        _layer({"type": "rect"}, rects, x=x, y=y, x2={}, y2={}, fill={"scale": None}),
        _layer({"type": "rule", "stroke": "var(--link)"}, lines, x=x, y=y, y2={}),
        _layer({**written, "fill": "var(--paper)", "fontWeight": 700, "baseline": "middle"}, marks, x=x, y=y, text={}),
    ]
    for (align, weight), own in texts.items():
        mark = {**written, "fill": "var(--ink)", "align": align, "fontWeight": weight, "baseline": "alphabetic"}
        layers.append(_layer(mark, own, x=x, y=y, text={}))
    return _svg({"width": _WIDTH, "height": height, "autosize": "none", "layer": layers})


def _layer(mark: dict[str, Any], values: list[dict[str, Any]], **channels: dict[str, Any]) -> dict[str, Any]:
    """A mark a value; each channel reads the field that is called like it, if it names no other."""
    kinds = {"text": "nominal", "fill": "nominal", "x": "quantitative", "y": "quantitative"}
    encoding = {
        name: {"field": name, "title": None, **({"type": kinds[name]} if name in kinds else {}), **channel}
        for name, channel in channels.items()
    }
    return {"data": {"values": values}, "mark": mark, "encoding": encoding}


def _svg(spec: dict[str, Any]) -> Markup:
    import vl_convert

    line = "var(--link)"
    config = {
        "aria": False,  # the page says what a chart shows, once
        "background": None,
        "font": "inherit",
        "padding": 0,
        "view": {"stroke": None},
        "axis": {
            **dict.fromkeys(("domainColor", "tickColor"), line),
            "gridColor": "var(--line)",
            "labelColor": "var(--ink)",
        },
    }
    return Markup(vl_convert.vegalite_to_svg({**spec, "config": config}))
