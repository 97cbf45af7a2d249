"""Charts as SVG that stands in the page: bars and a waterfall. Lengths are in the drawing's own units, 720 across the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape

FULL, HALF = 720, 346
_ROW = 21
_BAR = 14


@dataclass(frozen=True)
class Bar:
    """A bar with what is written before and behind it; `before` is its length a month ago, a thin line where it ended."""

    label: str
    length: Decimal
    told: str
    before: Decimal | None = None
    style: str = "bar"


@dataclass(frozen=True)
class Step:
    """A step of a waterfall: a total, which stands from nothing, or what leads from the total before it to the next one."""

    label: str
    amount: Decimal
    told: str
    is_total: bool


def bars(rows: Sequence[Bar], width: int = FULL) -> Markup:
    """One horizontal bar a row, in the order given."""
    reach = [length for row in rows for length in (row.length, row.before) if length is not None]
    scale = _Scale(min([*reach, Decimal(0)]), max([*reach, Decimal(0)]), width)
    drawn = []
    for no, row in enumerate(rows):
        top = no * _ROW
        drawn += [_label(row.label, top), scale.bar(Decimal(0), row.length, top, row.style), scale.told(row.told, top)]
        if row.before is not None:
            at = scale.at(row.before)
            drawn.append(f'<line class="before" x1="{at}" x2="{at}" y1="{top + 1}" y2="{top + _BAR + 5}"/>')
    return _svg(drawn, len(rows), width)


def waterfall(steps: Sequence[Step]) -> Markup:
    """One row a step, from top to bottom; each begins where the one before it ended."""
    reached, ends = Decimal(0), [Decimal(0)]
    spans = []
    for step in steps:
        start = Decimal(0) if step.is_total else reached
        reached = start + step.amount
        spans.append((start, reached))
        ends += [start, reached]
    scale = _Scale(min(ends), max(ends), FULL)
    drawn = []
    for no, (step, (start, end)) in enumerate(zip(steps, spans, strict=True)):
        top = no * _ROW
        style = "total" if step.is_total else "fall" if step.amount < 0 else "rise"
        drawn += [
            _label(step.label, top, is_bold=step.is_total),
            scale.bar(start, end, top, style),
            scale.told(step.told, top),
        ]
        if no + 1 < len(steps):
            at = scale.at(end)
            drawn.append(f'<line class="link" x1="{at}" x2="{at}" y1="{top + 3 + _BAR}" y2="{top + _ROW + 3}"/>')
    return _svg(drawn, len(steps), FULL)


@dataclass(frozen=True)
class _Scale:
    least: Decimal
    most: Decimal
    width: int

    def at(self, amount: Decimal) -> str:
        """Where an amount ends, to a tenth of a unit."""
        labels, values = (190, 90) if self.width == FULL else (92, 100)
        room = self.width - labels - values
        share = (amount - self.least) / (self.most - self.least) if self.most != self.least else Decimal(0)
        return f"{labels + share * room:.1f}"

    def bar(self, start: Decimal, end: Decimal, top: int, style: str) -> str:
        if start == end:
            return ""
        left, right = (Decimal(self.at(each)) for each in sorted((start, end)))
        return f'<rect class="{style}" x="{left}" y="{top + 3}" width="{max(right - left, Decimal("0.7"))}" height="{_BAR}"/>'

    def told(self, told: str, top: int) -> str:
        return f'<text class="told" x="{self.width}" y="{top + _BAR + 1}">{escape(told)}</text>'


def _label(label: str, top: int, *, is_bold: bool = False) -> str:
    return f'<text{" class=" + chr(34) + "strong" + chr(34) if is_bold else ""} x="0" y="{top + _BAR + 1}">{escape(label)}</text>'


def _svg(drawn: Sequence[str], rows: int, width: int) -> Markup:
    return Markup(f'<svg viewBox="0 0 {width} {rows * _ROW + 2}" role="img">{"".join(drawn)}</svg>')
