"""Completeness: what each source says it has against what has landed, object by object where they differ.

A stream is certified from where its last certificate ended, less its look-back, to the moment at which the sync that precedes
began: the cost follows what is new. A difference may be a change on its way, so the stream is synced again and counted again; an
object that is missing still is read again from the beginning. What differs after that is certified as a difference, and while
nothing else differs not read for again: what nobody can understand, for one, is in quarantine and stays missing.

The warehouse keeps what was certified until `land_certificates` lands it: one batch a run, not one a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa

from ingestion.lake import Lake
from ingestion.payload import SCHEMAS
from ingestion.settings import Settings
from ingestion.sources.base import Measure, Window
from ingestion.streams import CERTIFICATES, DIFFERENCES, Stream
from ingestion.sync import SyncResult, connect, land_own, opened, recover, sync
from ingestion.warehouses.base import Warehouse

_DAY = timedelta(days=1)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Difference:
    """An object that only one side has (`missing`: the source; `unknown`: we), or whose amounts differ."""

    object_id: str
    kind: str
    source_amount: Decimal | None
    landed_amount: Decimal | None
    day: object


@dataclass(frozen=True)
class Certificate:
    """Of one stream: what was counted on both sides, and the objects behind what differs. `is_known` says that all of it
    differed, and just so, in the certificates before."""

    stream: Stream
    window: Window
    source: Mapping[Measure, Decimal]
    landed: Mapping[Measure, Decimal]
    differences: tuple[Difference, ...] = ()
    is_known: bool = False

    @property
    def differing(self) -> tuple[Measure, ...]:
        return tuple(
            measure
            for measure in sorted(self.source.keys() | self.landed.keys(), key=str)
            if self.source.get(measure, Decimal(0)) != self.landed.get(measure, Decimal(0))
        )

    @property
    def is_complete(self) -> bool:
        return not self.differing

    @property
    def objects(self) -> int:
        """How many the source says it has."""
        return int(sum(value for measure, value in self.source.items() if measure.name == "objects"))

    def __str__(self) -> str:
        if self.is_complete:
            return f"{self.stream}: complete, {self.objects:,} objects counted through {self.window.until:%Y-%m-%d %H:%M} UTC."
        kinds = {
            kind: sum(one.kind == kind for one in self.differences) for kind in ("missing", "unknown", "amount_differs")
        }
        told = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in kinds.items() if count)
        named = ", ".join(one.object_id for one in self.differences[:3])
        return (
            f"{self.stream}: not complete: {told or 'totals differ'} on {len({m.day for m in self.differing})} days"
            f"{f' ({named})' if named else ''}; raw_tieout.differences names each object. Sync the stream again; if it stays, "
            "ask the source's support for these objects."
        )


def certify(
    result: SyncResult, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Certificate:
    """Count what a sync should have landed, mend what can be mended, and keep the certificate for `land_certificates`.

    Raises SourceError, WarehouseError or LakeError.
    """
    stream, lake = result.stream, Lake(settings.lake)
    certificate = _compare(result, settings, lake, now)
    if not certificate.is_complete:
        certificate = _compare(sync(stream, settings, now), settings, lake, now)
    if not certificate.is_complete and not certificate.is_known and not stream.is_typed:
        _log.warning("%s Reading the stream again from the beginning.", certificate)
        certificate = _compare(sync(stream, settings, now, from_the_beginning=True), settings, lake, now)
    with opened(settings, lake) as warehouse:
        warehouse.certify(_certified(certificate, now()))
        if certificate.differences:
            land_own(DIFFERENCES, _named(certificate, now()), lake, warehouse, now)
    return certificate


def land_certificates(settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Land what was certified and has not landed yet, of all streams in one batch.

    Raises WarehouseError or LakeError.
    """
    lake = Lake(settings.lake)
    with opened(settings, lake) as warehouse:
        for each in (CERTIFICATES, DIFFERENCES):
            recover(each, lake, warehouse, now)
        rows = warehouse.unlanded_certificates()
        if rows.num_rows:
            land_own(CERTIFICATES, rows, lake, warehouse, now)


def _compare(result: SyncResult, settings: Settings, lake: Lake, now: Callable[[], datetime]) -> Certificate:
    stream = result.stream
    with opened(settings, lake) as warehouse:
        source = connect(stream, settings, warehouse, now)
        window = _window(result, warehouse)
        known = warehouse.differing(stream)
        # A day that differed and has nothing on either side any more must say so, or it would differ for ever.
        settled = {
            Measure(measure.day, "objects"): Decimal(0)
            for measure in known
            if window.since is None or measure.day is None or measure.day >= window.since.date()
        }
        said = {**settled, **source.tally(stream, window)}
        landed = {**settled, **warehouse.tally(stream, window)}
        certificate = Certificate(stream, window, said, landed)
        if certificate.is_complete:
            return certificate
        windows = _differing(certificate) if stream.is_typed else [window]
        there = {item.object_id: item for each in windows for item in source.roster(stream, each)}
        here = {item.object_id: item for each in windows for item in warehouse.roster(stream, each)}
        differences = [
            Difference(
                object_id,
                "missing" if mine is None else "unknown" if theirs is None else "amount_differs",
                theirs.amount if theirs else None,
                mine.amount if mine else None,
                at.astimezone(UTC).date() if at else None,
            )
            for object_id in sorted(there.keys() | here.keys())
            for theirs, mine in [(there.get(object_id), here.get(object_id))]
            for at in [(theirs or mine).at]  # type: ignore[union-attr]
            if theirs is None or mine is None or theirs.amount != mine.amount
        ]
        is_known = all(
            known.get(measure) == (said.get(measure, Decimal(0)), landed.get(measure, Decimal(0)))
            for measure in certificate.differing
        )
        return replace(certificate, differences=tuple(differences), is_known=is_known)


def _window(result: SyncResult, warehouse: Warehouse) -> Window:
    through = warehouse.certified_through(result.stream)
    since = None
    if through is not None and result.stream.created:
        day = (through - max(result.stream.lookback, _DAY)).astimezone(UTC).date()
        since = datetime.combine(day, time(), UTC)
    return Window(since, result.started_at, result.cursor_to)


def _differing(certificate: Certificate) -> list[Window]:
    """The days that differ: a big table's objects are listed for these alone, for all of them might not fit in memory."""
    days = sorted({datetime.combine(measure.day, time(), UTC) for measure in certificate.differing if measure.day})
    return [replace(certificate.window, since=day, until=min(day + _DAY, certificate.window.until)) for day in days]


def _certified(certificate: Certificate, at: datetime) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "stream": str(certificate.stream),
                "day": measure.day,
                "measure": measure.name,
                "unit": measure.unit,
                "source_value": certificate.source.get(measure, Decimal(0)),
                "landed_value": certificate.landed.get(measure, Decimal(0)),
                "certified_from": certificate.window.since,
                "certified_through": certificate.window.until,
                "certified_at": at,
            }
            for measure in _measures(certificate)
        ],
        schema=SCHEMAS[CERTIFICATES],
    )


def _measures(certificate: Certificate) -> Iterator[Measure]:
    """What was counted; of an empty window its last day, so that how far it went is on record."""
    counted = sorted(certificate.source.keys() | certificate.landed.keys(), key=str)
    yield from counted or [Measure(certificate.window.until.astimezone(UTC).date(), "objects")]


def _named(certificate: Certificate, at: datetime) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "stream": str(certificate.stream),
                "day": one.day,
                "object_id": one.object_id,
                "difference": one.kind,
                "source_amount": one.source_amount,
                "landed_amount": one.landed_amount,
                "certified_at": at,
            }
            for one in certificate.differences
        ],
        schema=SCHEMAS[DIFFERENCES],
    )
