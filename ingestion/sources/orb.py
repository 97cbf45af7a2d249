"""Orb, through httpx (https://docs.withorb.com/api-reference), API 1.0.

Orb has no "updated since", so each rule of `ingestion/streams.py` reads what may have changed, and the first run of a UTC day
reads everything there is: the sweep. The cursor is where a run stood when it began, and the day of the last sweep:
`2026-11-20T10:00:00+00:00 swept 2026-11-20` (`blocks`: a batch of the stream that they follow, in place of the instant). It
moves with a run's last batch, so a sweep that died is done again.

The default list of invoices leaves drafts and voided ones out: every status is asked for by name. A ledger is kept per pricing
unit, "credits" if none is named, and lists the newest entry first: what a run finds of one lands oldest first, or a crash would
leave a gap below the highest number. A pending entry still changes, and cannot be fetched by its id. Usage is cut at the
customer's own midnight, and a usage day or volume hour of zero is an absence: it lands only where something stood before. A
search for events looks back one week unless it is given a timeframe, and does not find an event that was amended: that lands as
a deletion, and as a new version if Orb does return it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import msgspec
import pyarrow.parquet as pq

from ingestion.api import NotAnswered, ask
from ingestion.payload import Head, Item, Page, Row, SourceError, SourceRefused, certified, decode, head, heads
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream, stream_named

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_SWEPT = " swept "
_PAGE = 100
_LEDGER_PAGE = 1000
_IDS_PER_SEARCH = 500
# An event that Orb counts in another period is found only if the search reaches that far.
_LARGEST_SHIFT = timedelta(days=31)
_STATUSES: Mapping[str, tuple[str, ...]] = {
    "/invoices": ("draft", "issued", "synced", "paid", "void"),
    "/subscriptions": ("active", "upcoming", "ended"),
}

T = TypeVar("T")


class _Pagination(msgspec.Struct):
    has_more: bool
    next_cursor: str | None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination_metadata: _Pagination


class _Parent(msgspec.Struct):
    """A customer, or a subscription, that lists are kept for."""

    id: str
    currency: str | None = None


class _Owner(msgspec.Struct):
    timezone: str | None = None


class _Subscription(msgspec.Struct):
    id: str
    customer: _Owner
    created_at: datetime
    start_date: datetime | None = None
    end_date: datetime | None = None

    @property
    def start(self) -> datetime:
        return self.start_date or self.created_at


class _Entry(msgspec.Struct):
    """A credit ledger entry."""

    ledger_sequence_number: int
    created_at: datetime


class _Priced(msgspec.Struct):
    currency: str


class _Metric(msgspec.Struct):
    id: str


class _MetricUsage(msgspec.Struct):
    billable_metric: msgspec.Raw
    usage: list[msgspec.Raw]


class _Usage(msgspec.Struct):
    data: list[_MetricUsage]


class _Counted(msgspec.Struct):
    """A usage day (`quantity`) or a volume hour (`count`)."""

    timeframe_start: datetime
    timeframe_end: datetime
    quantity: Decimal = Decimal(0)
    count: int = 0


class _UsageDay(msgspec.Struct):
    """As it lands."""

    billable_metric: _Metric
    usage: _Counted


class _Named(msgspec.Struct):
    timeframe_start: str


class _Found(msgspec.Struct):
    """What is answered in one piece."""

    data: list[msgspec.Raw]


@dataclass(frozen=True)
class OrbSource:
    """See `Source`. `landed` knows what is not final, where each ledger stands, and the batches that others are read after."""

    client: httpx.Client
    landed: Landed
    now: Callable[[], datetime]
    api_version: str = "1.0"

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> OrbSource:
        settings.require(["orb"])
        assert settings.orb_api_key is not None
        client = httpx.Client(
            base_url=settings.orb_api_base,
            headers={"Authorization": f"Bearer {settings.orb_api_key.reveal()}"},
            timeout=30.0,
        )
        return OrbSource(client, landed, now)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        return self._looked_up(stream, "sweep") if stream.reads == "lookup" else self._due(stream, cursor)

    def _due(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        """The day's sweep, or what may have changed since the cursor."""
        began, origin = self.now(), "sweep" if cursor else "backfill"
        today = f"{began.astimezone(UTC):%Y-%m-%d}"
        place, _, swept = (cursor or "").partition(_SWEPT)
        is_sweep = swept != today
        if stream.reads == "blocks":
            (ledger,) = map(stream_named, stream.after)
            batches = self.landed.batch_paths_since(ledger, place or None)
            if is_sweep:
                yield from self._swept(stream, origin)
            else:
                yield from self._blocks(stream, origin, sorted(_moved(path for _, path in batches)))
            place = batches[-1][0] if batches else place
        elif is_sweep:
            yield from self._swept(stream, origin)
            place = _iso(began)
        else:
            yield from self._changed(stream, origin, datetime.fromisoformat(place) - stream.lookback)
            place = _iso(began)
        yield Page(
            cursor=f"{place}{_SWEPT}{today}",
            is_checkpoint=is_sweep,
            is_complete_listing=is_sweep and stream.reads != "volume",
        )

    def _swept(self, stream: Stream, origin: str) -> Iterator[Page]:
        """Everything there is. A list cut short looks like one whose objects are gone: gone is what two readings miss."""
        seen: set[str] = set()
        for page in self._changed(stream, origin, None):
            seen.update(row.object_id for row in page.rows)
            yield page
        if self.landed.live_objects(stream) - seen:
            yield from self._changed(stream, origin, None)

    def _changed(self, stream: Stream, origin: str, since: datetime | None) -> Iterator[Page]:
        """What may have changed since; everything there is where that is None."""
        match stream.reads:
            case "whole":
                return self._listed(stream, origin, {})
            case "recent":
                return self._recent(stream, origin, since)
            case "ledger":
                return self._ledger(stream, origin, since)
            case "blocks":
                return self._blocks(stream, origin, self._ledgers(stream))
            case "usage":
                return self._usage(stream, origin, since, self.now())
            case "volume":
                return self._volume(stream, origin, since, self.now())
        raise SourceRefused(f"{stream}: there is no rule {stream.reads!r} for Orb; see ingestion/streams.py.")

    def _listed(
        self, stream: Stream, origin: str, params: Mapping[str, Any], customer_id: str | None = None
    ) -> Iterator[Page]:
        for raws in self._list(stream, stream.endpoint.format(id=customer_id), {"limit": _PAGE, **params}):
            yield _page(stream, raws, origin, customer_id)

    def _recent(self, stream: Stream, origin: str, since: datetime | None) -> Iterator[Page]:
        """What is not final is listed first: what becomes final meanwhile stands in the second list, or is asked for by id."""
        dated = {f"{stream.created}[gte]": _iso(since)} if since else {}
        queries: list[dict[str, Any]] = [dated]
        if statuses := _STATUSES.get(stream.endpoint):
            not_final = [status for status in statuses if status not in stream.final]
            queries = [{"status[]": not_final}, {"status[]": list(stream.final), **dated}]
        seen: set[str] = set()
        for query in queries:
            for page in self._listed(stream, origin, query):
                seen.update(row.object_id for row in page.rows)
                yield page
        for object_id in sorted(self.landed.open_objects(stream) - seen) if stream.final else ():
            yield _page(stream, self._retrieve(stream, object_id), origin)

    def _ledger(self, stream: Stream, origin: str, since: datetime | None) -> Iterator[Page]:
        settled = self.landed.settled_sequence(stream) if since else {}
        for customer_id, unit in self._ledgers(stream):
            if since is None:
                yield from self._listed(stream, origin, {"limit": _LEDGER_PAGE, "currency": unit}, customer_id)
                continue
            number, new = settled.get((customer_id, unit)), []
            path = stream.endpoint.format(id=customer_id)
            for raws in self._list(stream, path, {"limit": _PAGE, "currency": unit}):
                new.append(_page(stream, raws, origin, customer_id))
                if raws and _is_settled(raws[-1], number, since):
                    break
            yield from reversed(new)

    def _blocks(self, stream: Stream, origin: str, ledgers: Iterable[tuple[str, str]]) -> Iterator[Page]:
        """The blocks of these ledgers: a block changes only by an entry, or is new beside one."""
        for customer_id, unit in ledgers:
            yield from self._listed(stream, origin, {"include_all_blocks": "true", "currency": unit}, customer_id)

    def _usage(self, stream: Stream, origin: str, since: datetime | None, until: datetime) -> Iterator[Page]:
        for raws in self._list(stream, "/subscriptions", {"limit": _PAGE}):
            for raw in raws:
                subscription = decode(stream, raw, _Subscription)
                zone = _zone(stream, subscription)
                start = _midnight(max(since or subscription.start, subscription.start), zone)
                end = _midnight(min(subscription.end_date or until, until), zone, days_later=1)
                if start < end:
                    yield self._usage_days(stream, origin, subscription.id, start, end, zone)

    def _usage_days(
        self, stream: Stream, origin: str, subscription_id: str, start: datetime, end: datetime, zone: tzinfo
    ) -> Page:
        query = {"granularity": "day", "timeframe_start": _iso(start), "timeframe_end": _iso(end)}
        answer = self._request(stream, "GET", stream.endpoint.format(id=subscription_id), _Usage, params=query)
        rows = []
        for metric in answer.data:
            metric_id = decode(stream, metric.billable_metric, _Metric).id
            for day in metric.usage:
                counted = decode(stream, day, _Counted)
                payload = b'{"subscription_id":%s,"billable_metric":%s,"usage":%s}' % (
                    msgspec.json.encode(subscription_id),
                    bytes(metric.billable_metric),
                    bytes(day),
                )
                rows.append(
                    Row(
                        f"{subscription_id}/{metric_id}/{counted.timeframe_start.astimezone(zone):%Y-%m-%d}",
                        payload,
                        origin,
                        parent_id=subscription_id,
                        source_at=counted.timeframe_start,
                        is_deleted=counted.quantity == 0,
                    )
                )
        return Page(rows)

    def _volume(self, stream: Stream, origin: str, since: datetime | None, until: datetime) -> Iterator[Page]:
        """As many hours a request as a page holds: the API document knows no further pages of this answer."""
        if since is None:
            pages = self._list(stream, "/subscriptions", {"limit": _PAGE})
            starts = [decode(stream, raw, _Subscription).start for raws in pages for raw in raws]
            since = min(starts, default=until - stream.lookback)
        start, last = _midnight(since), _midnight(until, days_later=1)
        while start < last:
            end = min(start + _PAGE * _HOUR, last)
            query = {"limit": _PAGE, "timeframe_start": _iso(start), "timeframe_end": _iso(end)}
            rows = []
            for raw in self._request(stream, "GET", stream.endpoint, _Found, params=query).data:
                hour = decode(stream, raw, _Counted)
                at = hour.timeframe_start
                rows.append(Row(_iso(at), bytes(raw), origin, source_at=at, is_deleted=hour.count == 0))
            yield Page(rows)
            start = end

    def _looked_up(self, stream: Stream, origin: str) -> Iterator[Page]:
        """The events that are asked for as Orb has them: what it does not find it does not have, or it was amended. Those that
        had landed and that two searches miss are gone."""
        events = self.landed.asked(stream)
        for start in range(0, len(events), _IDS_PER_SEARCH):
            asked = dict(events[start : start + _IDS_PER_SEARCH])
            page = self._searched(stream, origin, asked)
            yield page
            absent = asked.keys() - {row.object_id for row in page.rows}
            if missed := sorted(absent & self.landed.live_objects(stream)) if absent else []:
                again = self._searched(stream, origin, {event_id: asked[event_id] for event_id in missed})
                gone = set(missed).difference(row.object_id for row in again.rows)
                yield again
                yield Page([Row(event_id, b"{}", origin, is_deleted=True) for event_id in sorted(gone)])

    def _searched(self, stream: Stream, origin: str, asked: Mapping[str, datetime]) -> Page:
        body = {
            "event_ids": list(asked),
            "timeframe_start": _iso(min(asked.values()) - _LARGEST_SHIFT),
            "timeframe_end": _iso(max(asked.values()) + _LARGEST_SHIFT),
        }
        return _page(stream, self._request(stream, "POST", stream.endpoint, _Found, json=body).data, origin)

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        for page in self._within(stream, window):
            for item in (_item(stream, row) for row in page.rows if not row.is_deleted):
                if item.at is None or (item.at < window.until and (window.since is None or item.at >= window.since)):
                    yield item

    def _within(self, stream: Stream, window: Window) -> Iterator[Page]:
        """The stream listed once more, the window only where the API has a filter for it."""
        dated: dict[str, Any] = {f"{stream.created}[lt]": _iso(window.until)}
        if window.since:
            dated[f"{stream.created}[gte]"] = _iso(window.since)
        match stream.reads:
            case "recent":
                yield from self._listed(stream, "", {"status[]": list(_STATUSES.get(stream.endpoint, ())), **dated})
            case "ledger":
                for customer_id, unit in self._ledgers(stream):
                    yield from self._listed(stream, "", {**dated, "limit": _LEDGER_PAGE, "currency": unit}, customer_id)
            case "usage":
                yield from self._usage(stream, "", window.since and window.since - _DAY, window.until)
            case "volume":
                yield from self._volume(stream, "", window.since and window.since - _HOUR, window.until)
            case "lookup":
                yield from self._looked_up(stream, "")
            case _:
                yield from self._changed(stream, "", None)

    def probe(self, stream: Stream) -> None:
        """One object of the stream's list; of a list that is kept per parent, that of the first parent there is."""
        match stream.reads:
            case "lookup":
                self._request(stream, "POST", stream.endpoint, _Found, json={"event_ids": ["probe"]})
            case "volume":
                day = {"timeframe_start": _iso(_midnight(self.now())), "limit": 1}
                self._request(stream, "GET", stream.endpoint, _Found, params=day)
            case _:
                parents, _, is_kept_per_parent = stream.endpoint.partition("/{id}")
                first = self._request(stream, "GET", parents, _Page, params={"limit": 1}).data[:1]
                for raw in first if is_kept_per_parent else ():
                    path = stream.endpoint.format(id=decode(stream, raw, _Parent).id)
                    self._request(stream, "GET", path, _Found, params={} if stream.reads == "usage" else {"limit": 1})

    def _ledgers(self, stream: Stream) -> Iterator[tuple[str, str]]:
        """Customer and pricing unit of every credit ledger that there may be."""
        for raws in self._list(stream, "/customers", {"limit": _PAGE}):
            for raw in raws:
                customer = decode(stream, raw, _Parent)
                for unit in sorted({"credits", customer.currency or "credits"}):
                    yield customer.id, unit

    def _list(self, stream: Stream, path: str, params: Mapping[str, Any]) -> Iterator[list[msgspec.Raw]]:
        """Pages of a list, to the end (https://docs.withorb.com/api-reference/pagination)."""
        query = dict(params)
        asked: set[str | None] = {None}
        while True:
            page = self._request(stream, "GET", path, _Page, params=query)
            yield page.data
            if not page.pagination_metadata.has_more:
                return
            if page.pagination_metadata.next_cursor in asked or not page.data:
                raise SourceError(
                    f"{stream}: Orb said has_more of {path} without a new next_cursor, or after an empty page; reading on would "
                    "skip objects. Run again; nothing was lost, the cursor has not moved."
                )
            asked.add(page.pagination_metadata.next_cursor)
            query["cursor"] = page.pagination_metadata.next_cursor

    def _retrieve(self, stream: Stream, object_id: str) -> list[msgspec.Raw]:
        """The object as it is now; nothing where it is gone, which the next sweep notes."""
        try:
            return [self._request(stream, "GET", f"{stream.endpoint}/{quote(object_id, safe='')}", msgspec.Raw)]
        except SourceError as error:
            if isinstance(error.__cause__, NotAnswered) and error.__cause__.status == 404:
                return []
            raise

    def _request(self, stream: Stream, method: str, path: str, kind: type[T], **request: Any) -> T:
        try:
            return ask(lambda: self._send(method, path, **request), kind)
        except NotAnswered as error:
            remedy = {
                401: "check ORB_API_KEY.",
                403: "give the key read permission for this resource.",
                404: "the key's account has no such resource, or may not see it: check ORB_API_BASE and the key's permissions.",
            }.get(error.status or 0)
            refusal = SourceRefused if remedy else SourceError
            raise refusal(
                f"{stream}: Orb answered {error.status or 'nothing'} to {method} {path}: {error}; "
                f"{remedy or 'run again: the cursor has not moved.'}"
            ) from error
        except msgspec.MsgspecError as error:
            raise SourceError(
                f"{stream}: Orb's answer to {method} {path} is not what the API document says ({error}); run again: the cursor "
                "has not moved. If it stays so, compare with Orb's API document."
            ) from error

    def _send(self, method: str, path: str, **request: Any) -> bytes:
        try:
            response = self.client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise NotAnswered(repr(error)) from error
        if response.is_success:
            return response.content
        raise NotAnswered(repr(response.text[:200]), response.status_code, response.headers.get("Retry-After"))


def _moved(paths: Iterable[str]) -> set[tuple[str, str]]:
    """Customer and pricing unit of the ledgers whose entries stand in these batches."""
    moved: set[tuple[str, str]] = set()
    for path in paths:
        owners, entries = pq.read_table(path, columns=["parent_id", "payload"]).columns
        units = (msgspec.json.decode(entry.as_buffer(), type=_Priced).currency for entry in entries)
        moved.update(zip(owners.to_pylist(), units, strict=True))
    return moved


def _is_settled(raw: msgspec.Raw, number: int | None, since: datetime) -> bool:
    """Whether a ledger entry, and all below it, has landed as final and was made before. One that can't be read has not."""
    try:
        entry = msgspec.json.decode(raw, type=_Entry)
    except msgspec.MsgspecError:
        return False
    return number is not None and entry.ledger_sequence_number <= number and entry.created_at < since


def _page(stream: Stream, raws: Sequence[msgspec.Raw], origin: str, parent_id: str | None = None) -> Page:
    found, rejected = heads(stream, raws)
    return Page([Row(about.id, bytes(raw), origin, parent_id=parent_id) for about, raw in found], rejected=rejected)


def _item(stream: Stream, row: Row) -> Item:
    """A row as a certificate counts it."""
    match stream.reads:
        case "usage":
            of = decode(stream, row.payload, _UsageDay)
            return Item(row.object_id, of.usage.timeframe_end, certified(of.usage.quantity), of.billable_metric.id)
        case "volume":
            hour, unit = decode(stream, row.payload, _Counted), decode(stream, row.payload, _Named).timeframe_start
            return Item(row.object_id, hour.timeframe_end, certified(Decimal(hour.count)), unit)
    found = head(stream, row.payload)
    return found.item() if isinstance(found, Head) else Item(row.object_id, None)


def _zone(stream: Stream, subscription: _Subscription) -> ZoneInfo:
    try:
        return ZoneInfo(subscription.customer.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SourceRefused(
            f"{stream}: the customer of subscription {subscription.id} is in the time zone "
            f"{subscription.customer.timezone!r}, which this machine does not know: install the package tzdata."
        ) from error


def _midnight(instant: datetime, zone: tzinfo = UTC, days_later: int = 0) -> datetime:
    """Where the day of this instant begins in the zone, or one some days later."""
    day = instant.astimezone(zone).date() + timedelta(days=days_later)
    return datetime.combine(day, time(), zone)


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
