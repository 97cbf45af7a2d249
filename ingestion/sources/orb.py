"""Orb, through httpx (https://docs.withorb.com/api-reference), API 1.0.

Orb has no "updated since". Lists are read whole and only new versions land; ledger, usage and volume have a time filter and
are read from the cursor less the stream's look-back. Invoices are asked for in every status: the default list leaves drafts
and voided ones out. A usage day or volume hour of zero is an absence: it lands only where something stood before.
A credit ledger is kept per pricing unit: without `currency` Orb lists the unit "credits" only, so the customer's own currency
is asked for as well. A search by event id looks back one week unless it is given a timeframe.
The cursor is an ISO 8601 instant of the newest object read (`audit`: the newest batch of usage events looked at).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import httpx
import msgspec
import pyarrow.parquet as pq

from ingestion.api import NotAnswered, ask
from ingestion.payload import Head, Item, Page, Rejected, Row, SourceError, SourceRefused, decode, head
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream, stream_named

_PAGE = 100
_LEDGER_PAGE = 1000
_IDS_PER_SEARCH = 500
_AUDIT_ONE_IN = 100
_INVOICE_STATUSES = ("draft", "issued", "paid", "synced", "void")

T = TypeVar("T")


class _Pagination(msgspec.Struct):
    has_more: bool
    next_cursor: str | None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    pagination_metadata: _Pagination


class _Parent(msgspec.Struct):
    id: str
    created_at: datetime
    start_date: datetime | None = None
    currency: str | None = None


class _Metric(msgspec.Struct):
    id: str


class _MetricUsage(msgspec.Struct):
    billable_metric: msgspec.Raw
    usage: list[msgspec.Raw]


class _Usage(msgspec.Struct):
    data: list[_MetricUsage]


class _Counted(msgspec.Struct):
    """A usage day (`quantity`) or a volume hour (`count`), numbers read only to tell whether they are zero."""

    timeframe_start: datetime
    quantity: msgspec.Raw = msgspec.Raw(b"0")
    count: msgspec.Raw = msgspec.Raw(b"0")

    @property
    def is_zero(self) -> bool:
        return not any(digit in b"123456789" for digit in bytes(self.quantity) + bytes(self.count))


class _Found(msgspec.Struct):
    data: list[msgspec.Raw]


@dataclass(frozen=True)
class OrbSource:
    """See `Source`. `landed` knows the usage events whose sample the `events` stream looks up."""

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
        since = datetime.fromisoformat(cursor) - stream.lookback if cursor and stream.reads != "audit" else None
        match stream.reads:
            case "sweep":
                return self._sweep(stream)
            case "customer":
                return self._per_customer(stream, {"include_all_blocks": "true", "limit": _PAGE}, since)
            case "ledger":
                recent = {"created_at[gte]": _iso(since)} if since else {}
                return self._per_customer(stream, {"limit": _LEDGER_PAGE, **recent}, since)
            case "usage":
                return self._usage(stream, since)
            case "volume":
                return self._volume(stream, since)
            case "audit":
                return self._audit(stream, cursor)
        raise SourceRefused(f"{stream}: there is no rule {stream.reads!r} for Orb; see ingestion/streams.py.")

    def _sweep(self, stream: Stream) -> Iterator[Page]:
        params: dict[str, Any] = {"limit": _PAGE}
        if stream.endpoint == "/invoices":
            params["status[]"] = list(_INVOICE_STATUSES)
        for raws in self._list(stream, stream.endpoint, params):
            yield _page(stream, raws, "sweep")
        yield Page(cursor=_iso(self.now()))

    def _per_customer(self, stream: Stream, params: Mapping[str, Any], since: datetime | None) -> Iterator[Page]:
        newest = since
        for customer in self._parents(stream, "/customers"):
            own = [{"currency": customer.currency}] if customer.currency else []
            for unit in ({}, *own):
                for raws in self._list(stream, stream.endpoint.format(id=customer.id), {**params, **unit}):
                    yield _page(stream, raws, "sweep" if since else "backfill", customer.id)
                    if stream.reads == "ledger":
                        found = [one.item().at for raw in raws if isinstance(one := head(stream, raw), Head)]
                        newest = max((at for at in (*found, newest) if at), default=None)
        yield Page(cursor=_iso(newest or self.now()))

    def _usage(self, stream: Stream, since: datetime | None) -> Iterator[Page]:
        end = _midnight(self.now()) + timedelta(days=1)
        for subscription in self._parents(stream, "/subscriptions"):
            start = _midnight(max(since, subscription.start_date or since) if since else _started(stream, subscription))
            if start >= end:
                continue
            query = {"granularity": "day", "timeframe_start": _iso(start), "timeframe_end": _iso(end)}
            answer = self._request(stream, "GET", stream.endpoint.format(id=subscription.id), _Usage, params=query)
            rows = []
            for metric in answer.data:
                metric_id = decode(stream, metric.billable_metric, _Metric).id
                for day in metric.usage:
                    counted = decode(stream, day, _Counted)
                    payload = b'{"subscription_id":%s,"billable_metric":%s,"usage":%s}' % (
                        msgspec.json.encode(subscription.id),
                        bytes(metric.billable_metric),
                        bytes(day),
                    )
                    rows.append(
                        Row(
                            f"{subscription.id}/{metric_id}/{counted.timeframe_start:%Y-%m-%d}",
                            payload,
                            "sweep" if since else "backfill",
                            parent_id=subscription.id,
                            source_at=counted.timeframe_start,
                            is_deleted=counted.is_zero,
                        )
                    )
            yield Page(tuple(rows))
        yield Page(cursor=_iso(end))

    def _volume(self, stream: Stream, since: datetime | None) -> Iterator[Page]:
        end = _midnight(self.now()) + timedelta(days=1)
        if since is None:
            starts = [_started(stream, subscription) for subscription in self._parents(stream, "/subscriptions")]
            since = min(starts, default=end - stream.lookback)
        query = {"limit": _PAGE, "timeframe_start": _iso(_midnight(since)), "timeframe_end": _iso(end)}
        for raws in self._list(stream, stream.endpoint, query):
            rows = []
            for raw in raws:
                hour = decode(stream, raw, _Counted)
                rows.append(
                    Row(
                        _iso(hour.timeframe_start),
                        bytes(raw),
                        "sweep",
                        source_at=hour.timeframe_start,
                        is_deleted=hour.is_zero,
                    )
                )
            yield Page(tuple(rows))
        yield Page(cursor=_iso(end))

    def _audit(self, stream: Stream, cursor: str | None, since: datetime | None = None) -> Iterator[Page]:
        """Look up the sampled events of each batch of usage events; what Orb does not return, it does not have."""
        recent = [("occurred_at", ">=", since)] if since else None
        (audited,) = map(stream_named, stream.after)
        for batch_id, path in self.landed.batch_paths_since(audited, cursor):
            columns = pq.read_table(path, columns=[audited.key, "occurred_at"], filters=recent).columns
            events = zip(*(column.to_pylist() for column in columns), strict=True)
            sample = [(event_id, at) for event_id, at in events if _is_sampled(event_id)]
            for start in range(0, len(sample), _IDS_PER_SEARCH):
                asked = sample[start : start + _IDS_PER_SEARCH]
                instants = [at for _, at in asked]
                body = {
                    "event_ids": [event_id for event_id, _ in asked],
                    "timeframe_start": _iso(min(instants)),
                    "timeframe_end": _iso(max(instants) + timedelta(seconds=1)),
                }
                found = self._request(stream, "POST", stream.endpoint, _Found, json=body)
                yield _page(stream, found.data, "sweep")
            yield Page(cursor=batch_id)

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """The stream listed once more. A sample of events is what was looked up, and a day or hour of zero is an absence."""
        for page in self._audit(stream, None, window.since) if stream.reads == "audit" else self.read(stream, None):
            for row in page.rows:
                found = head(stream, row.payload) if stream.key == "id" else None
                item = found.item() if isinstance(found, Head) else Item(row.object_id, row.source_at)
                is_inside = item.at is None or (
                    item.at < window.until and (window.since is None or item.at >= window.since)
                )
                if is_inside and not row.is_deleted:
                    yield item

    def probe(self, stream: Stream) -> None:
        """One object of the stream's list; of a list that is kept per parent, that of the first parent there is."""
        match stream.reads:
            case "audit":
                self._request(stream, "POST", stream.endpoint, _Found, json={"event_ids": ["probe"]})
            case "volume":
                day = {"timeframe_start": _iso(_midnight(self.now())), "limit": 1}
                self._request(stream, "GET", stream.endpoint, _Page, params=day)
            case _:
                parents, _, is_kept_per_parent = stream.endpoint.partition("/{id}")
                first = self._request(stream, "GET", parents, _Page, params={"limit": 1}).data[:1]
                for raw in first if is_kept_per_parent else ():
                    path = stream.endpoint.format(id=decode(stream, raw, _Parent).id)
                    self._request(stream, "GET", path, _Found, params={} if stream.reads == "usage" else {"limit": 1})

    def _parents(self, stream: Stream, path: str) -> Iterator[_Parent]:
        for raws in self._list(stream, path, {"limit": _PAGE}):
            for raw in raws:
                yield decode(stream, raw, _Parent)

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


def _is_sampled(event_id: str) -> bool:
    return int.from_bytes(hashlib.md5(event_id.encode(), usedforsecurity=False).digest()[:8]) % _AUDIT_ONE_IN == 0


def _page(stream: Stream, raws: Sequence[msgspec.Raw], origin: str, parent_id: str | None = None) -> Page:
    heads = [(head(stream, raw), raw) for raw in raws]
    return Page(
        [Row(found.id, bytes(raw), origin, parent_id=parent_id) for found, raw in heads if isinstance(found, Head)],
        rejected=[found for found, _ in heads if isinstance(found, Rejected)],
    )


def _started(stream: Stream, subscription: _Parent) -> datetime:
    return subscription.start_date or subscription.created_at


def _midnight(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()
