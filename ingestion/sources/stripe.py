"""Stripe, through the official client (https://docs.stripe.com/api), pinned to one API version.

Stripe has no "updated since": a list filtered by `created` misses every edit. So a later run lists what was created since the
cursor and, from `/v1/events` (the change feed, kept 30 days, https://docs.stripe.com/api/events), fetches every object again
that an event names: an event's own copy is rendered in another API version and its nested lists are cut, so it is not used.
A cursor older than the feed reads the whole list again; unchanged versions do not land twice.
The cursor is a Unix second of Stripe's own clock, that of the newest event or object there was before anything else was read:
what is created or edited while a run reads is newer, and read by the next one. Reads start some minutes before it: a second holds
many objects, and not all of them are listed in the second in which they are made. Every list's end is asked for once more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
import stripe

from ingestion.api import NotAnswered, ask
from ingestion.payload import Head, Item, Page, Rejected, Row, SourceError, SourceRefused, decode, head
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream

API_VERSION = "2026-05-27.dahlia"

_PAGE = 100
_DAY = 24 * 3600
# Stripe keeps 30 days; a day less, because our clock is not Stripe's.
_EVENTS_KEPT_SECONDS = 29 * _DAY
_OVERLAP_SECONDS = 300


T = TypeVar("T")

_log = logging.getLogger(__name__)

_RowsOf = Callable[[Stream, msgspec.Raw, str, datetime | None], Iterator[Row | Rejected]]
_Feed = tuple[dict[str, int], dict[str, tuple[msgspec.Raw, int]]]
"""When each changed object changed last, and each deleted one's last copy and when it went (Unix seconds)."""


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool
    url: str = ""


class _Invoice(msgspec.Struct):
    id: str
    lines: _List


class _Payout(msgspec.Struct):
    id: str
    automatic: bool
    reconciliation_status: str


class _EventData(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _EventData


@dataclass(frozen=True)
class StripeSource:
    """See `Source`. `client` is the official one; it signs, versions, times out and tells errors apart; `ask` asks again."""

    client: stripe.StripeClient
    api_version: str = API_VERSION

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> StripeSource:
        settings.require(["stripe"])
        assert settings.stripe_api_key is not None
        return StripeSource(
            stripe.StripeClient(
                settings.stripe_api_key.reveal(),
                stripe_version=API_VERSION,
                base_addresses={"api": settings.stripe_api_base},
                max_network_retries=0,
            )
        )

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        since = int(cursor) if cursor is not None else None
        match stream.reads:
            case "changes":
                return self._objects(stream, since, self._whole)
            case "lines":
                return self._objects(stream, since, self._lines)
            case "created":
                return self._listed(stream, since)
            case "payouts":
                return self._payout_transactions(stream, since)
        raise SourceRefused(f"{stream}: there is no rule {stream.reads!r} for Stripe; see ingestion/streams.py.")

    def _objects(self, stream: Stream, since: int | None, rows_of: _RowsOf) -> Iterator[Page]:
        """What was created since, then what events say was changed; each object through `rows_of`."""
        place = self._newest(stream, since)
        feed = self._changes(stream, since)
        if feed is None:
            _log.warning(
                "%s: stands at %s, before what Stripe's events reach back to; the whole list is read again.",
                stream,
                _instant(since),
            )
        origin = "backfill" if since is None else "sweep" if feed is None else "event"
        changed, deleted = feed or ({}, {})
        seen: set[str] = set()
        for raws in self._list(stream, stream.endpoint, _created(since if feed else None)):
            rows, rejected = self._read(stream, raws, rows_of, origin, changed)
            seen.update(row.parent_id or row.object_id for row in rows)
            yield Page(rows, rejected=rejected)
        for object_id in changed.keys() - seen:
            current = self._retrieve(stream, object_id)
            rows, rejected = self._read(stream, [current] if current else [], rows_of, "event", changed)
            yield Page(rows, rejected=rejected)
        yield Page(
            [
                Row(object_id, bytes(raw), "event", source_at=_instant(deleted_at), is_deleted=True)
                for object_id, (raw, deleted_at) in deleted.items()
            ],
            cursor=None if place is None else str(place),
            # A stream in which nothing happens must not fall behind what the feed reaches back to.
            is_checkpoint=bool(since and place and place - since > _DAY),
            is_complete_listing=feed is None and any(kind.endswith(".deleted") for kind in stream.change_events),
        )

    def _newest(self, stream: Stream, since: int | None) -> int | None:
        """The second up to which everything there is will have been read: asked for before anything else is."""
        stamps = [since] if since is not None else []
        for path in (stream.endpoint, *(["/v1/events"] if stream.change_events else [])):
            for raw in self._get(stream, path, _List, {"limit": 1, **_every(path)}).data:
                found = head(stream, raw)
                if isinstance(found, Head) and found.created_second is not None:
                    stamps.append(found.created_second)
        return max(stamps, default=None)

    def _read(
        self,
        stream: Stream,
        raws: Sequence[msgspec.Raw],
        rows_of: _RowsOf,
        origin: str,
        changed: Mapping[str, int],
    ) -> tuple[list[Row], list[Rejected]]:
        """The rows of some objects, and the objects that can't be understood."""
        rows: list[Row] = []
        rejected: list[Rejected] = []
        for raw in raws:
            about = head(stream, raw)
            if isinstance(about, Rejected):
                rejected.append(about)
                continue
            for row in rows_of(stream, raw, origin, _instant(changed.get(about.id, about.created_second))):
                if isinstance(row, Rejected):
                    rejected.append(row)
                else:
                    rows.append(row)
        return rows, rejected

    def _whole(
        self, stream: Stream, raw: msgspec.Raw, origin: str, source_at: datetime | None, parent_id: str | None = None
    ) -> Iterator[Row | Rejected]:
        about = head(stream, raw)
        if isinstance(about, Rejected):
            yield about
        else:
            object_id = f"{parent_id}/{about.id}" if stream.reads == "payouts" else about.id
            yield Row(object_id, bytes(raw), origin, parent_id=parent_id, source_at=source_at)

    def _lines(
        self, stream: Stream, raw: msgspec.Raw, origin: str, source_at: datetime | None
    ) -> Iterator[Row | Rejected]:
        invoice = decode(stream, raw, _Invoice)
        pages: Iterator[list[msgspec.Raw]] = iter([invoice.lines.data])
        if invoice.lines.has_more:
            pages = self._list(stream, f"/v1/invoices/{quote(invoice.id)}/lines", {})
        for page in pages:
            for line in page:
                yield from self._whole(stream, line, origin, source_at, invoice.id)

    def _listed(self, stream: Stream, since: int | None) -> Iterator[Page]:
        """Objects that have no events: what was created since the cursor less the stream's look-back."""
        place = self._newest(stream, since)
        start = None if since is None else since - int(stream.lookback.total_seconds())
        for raws in self._list(stream, stream.endpoint, _created(start)):
            rows, rejected = self._read(stream, raws, self._whole, "backfill" if since is None else "sweep", {})
            yield Page(rows, rejected=rejected)
        yield Page(cursor=None if place is None else str(place))

    def _payout_transactions(self, stream: Stream, since: int | None) -> Iterator[Page]:
        """Stripe attributes transactions to automatic payouts only, once reconciliation is completed."""
        place = self._newest(stream, since)
        start = None if since is None else since - int(stream.lookback.total_seconds())
        origin = "backfill" if since is None else "sweep"
        for raws in self._list(stream, stream.endpoint, _created(start)):
            for raw in raws:
                payout = decode(stream, raw, _Payout)
                if not (payout.automatic and payout.reconciliation_status == "completed"):
                    continue
                for transactions in self._list(stream, "/v1/balance_transactions", {"payout": payout.id}):
                    settled = partial(self._whole, parent_id=payout.id)
                    rows, rejected = self._read(stream, transactions, settled, origin, {})
                    yield Page(rows, rejected=rejected)
        yield Page(cursor=None if place is None else str(place))

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """The stream listed once more, from one end to the other."""
        bounds = {"lt": int(window.until.timestamp())}
        if window.since:
            bounds["gte"] = int(window.since.timestamp())
        for raws in self._list(stream, stream.endpoint, {"created": bounds}):
            for raw in raws:
                yield from self._items(stream, raw)

    def _items(self, stream: Stream, raw: msgspec.Raw) -> Iterator[Item]:
        match stream.reads:
            case "lines":
                parts: Iterator[Row | Rejected] = self._lines(stream, raw, "", None)
            case "payouts":
                payout = decode(stream, raw, _Payout)
                if not (payout.automatic and payout.reconciliation_status == "completed"):
                    return
                pages = self._list(stream, "/v1/balance_transactions", {"payout": payout.id})
                settled = (transaction for page in pages for transaction in page)
                parts = (row for one in settled for row in self._whole(stream, one, "", None, payout.id))
            case _:
                parts = self._whole(stream, raw, "", None)
        for row in parts:
            if isinstance(row, Row) and isinstance(found := head(stream, row.payload), Head):
                yield msgspec.structs.replace(found.item(), object_id=row.object_id)

    def probe(self, stream: Stream) -> None:
        self._get(stream, stream.endpoint, _List, {"limit": 1})

    def _changes(self, stream: Stream, since: int | None) -> _Feed | None:
        """What the feed says was changed and deleted since; None where it no longer reaches back that far."""
        changed: dict[str, int] = {}
        deleted: dict[str, tuple[msgspec.Raw, int]] = {}
        if since is None:
            return changed, deleted
        if since < datetime.now(UTC).timestamp() - _EVENTS_KEPT_SECONDS:
            return None
        for raws in self._list(stream, "/v1/events", {**_created(since), "types": list(stream.change_events)}):
            for raw in raws:
                event = decode(stream, raw, _Event)
                subject = decode(stream, event.data.object, dict[str, object])
                kind = stream.endpoint.rpartition("/")[2].removesuffix("s")
                # A dispute changes its charge too: there the object of the stream is the one that the subject names.
                is_own = subject.get("object", kind) == kind
                object_id = subject.get("id" if is_own else kind)
                if not isinstance(object_id, str):
                    # An invoice that is only coming has no id, and a discount need not be a customer's.
                    continue
                if is_own and event.type.endswith(".deleted") and event.type != "customer.subscription.deleted":
                    deleted.setdefault(object_id, (event.data.object, event.created))
                else:
                    changed.setdefault(object_id, event.created)
        return {key: at for key, at in changed.items() if key not in deleted}, deleted

    def _list(self, stream: Stream, path: str, params: Mapping[str, Any]) -> Iterator[list[msgspec.Raw]]:
        """Pages of a list, newest first as Stripe sends them, to the end."""
        query: dict[str, Any] = {"limit": _PAGE, **_every(path), **params}
        while True:
            page = self._get(stream, path, _List, query)
            yield page.data
            ids = [found.id for raw in page.data if isinstance(found := head(stream, raw), Head)]
            if page.has_more and (not ids or ids[-1] == query.get("starting_after")):
                raise SourceError(
                    f"{stream}: Stripe said has_more after a page of {path} that was empty or had been read; reading on would "
                    "skip objects. Run again."
                )
            query |= {"starting_after": ids[-1]} if ids else {}
            # An answer cut short looks like the end: it is one only if nothing follows when asked once more.
            is_end = not page.has_more
            if is_end and not (ids and self._get(stream, path, _List, {**query, "limit": 1}).data):
                return

    def _retrieve(self, stream: Stream, object_id: str) -> msgspec.Raw | None:
        """The object as it is now; None when it is gone (its deletion has an event of its own)."""
        try:
            return self._get(stream, f"{stream.endpoint}/{quote(object_id)}", msgspec.Raw, {})
        except SourceError as error:
            if isinstance(error.__cause__, NotAnswered) and error.__cause__.code == "resource_missing":
                return None
            raise

    def _get(self, stream: Stream, path: str, kind: type[T], params: Mapping[str, Any]) -> T:
        try:
            return ask(lambda: self._send(path, params), kind)
        except NotAnswered as error:
            match error.status:
                case 401:
                    raise SourceRefused(f"{stream}: Stripe refused the key ({error}): check STRIPE_API_KEY.") from error
                case 403:
                    raise SourceRefused(
                        f"{stream}: the Stripe key may not read {path} ({error}): "
                        "give the restricted key read permission for this resource."
                    ) from error
                case 404:
                    raise SourceRefused(
                        f"{stream}: Stripe knows no {path} for this key ({error}): it hides what a key may not see; give the "
                        "restricted key read permission for this resource, or correct STRIPE_API_BASE."
                    ) from error
                case None:
                    raise SourceError(
                        f"{stream}: Stripe can't be reached: check the network and STRIPE_API_BASE, and run again: "
                        "the cursor has not moved."
                    ) from error
            raise SourceError(
                f"{stream}: Stripe did not answer {path}: {error} Run again: the cursor has not moved."
            ) from error
        except msgspec.MsgspecError as error:
            raise SourceError(
                f"{stream}: Stripe's answer to {path} is not what the API document says ({error}). Run again; if it stays so, "
                f"compare with the document of API version {self.api_version}."
            ) from error

    def _send(self, path: str, params: Mapping[str, Any]) -> bytes:
        try:
            return str(self.client.raw_request("get", path, **params).body).encode()
        except stripe.StripeError as error:
            said = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise NotAnswered(_sentence(error), error.http_status, said.get("retry-after"), error.code) from error


def _created(since: int | None) -> dict[str, Any]:
    return {} if since is None else {"created": {"gte": since - _OVERLAP_SECONDS}}


def _every(path: str) -> dict[str, Any]:
    """Stripe leaves canceled subscriptions out unless it is asked for all."""
    return {"status": "all"} if path == "/v1/subscriptions" else {}


def _instant(unix_seconds: int | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, UTC)


def _sentence(error: stripe.StripeError) -> str:
    return " ".join((error.user_message or str(error) or type(error).__name__).split())[:200].rstrip(".") + "."
