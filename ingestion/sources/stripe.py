"""Stripe, through the official client (https://docs.stripe.com/api), pinned to one API version.

Stripe has no "updated since": a list filtered by `created` misses every edit. So a later run lists what was created since the
cursor and, from `/v1/events` (the change feed, kept 30 days, https://docs.stripe.com/api/events), fetches every object again
that an event names: an event's own copy is rendered in another API version and its nested lists are cut, so it is not used.
A cursor older than the feed reads the whole list again; unchanged versions do not land twice.
The cursor is a Unix second of Stripe's own clock; reads start at that second, not after it, since a second holds many objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import stamina
import stripe

from ingestion.payload import Page, Row, SourceError, SourceRefused, decode, exact, head
from ingestion.settings import Settings
from ingestion.streams import Stream

API_VERSION = "2026-05-27.dahlia"

_PAGE = 100
_EVENTS_KEPT_SECONDS = 30 * 24 * 3600


_RowsOf = Callable[[Stream, msgspec.Raw, str, datetime | None], Iterator[Row]]
_Feed = tuple[dict[str, int], dict[str, tuple[msgspec.Raw, int]]]
"""When each changed object changed last, and each deleted one's last copy and when it went (Unix seconds)."""


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool
    url: str = ""


class _Invoice(msgspec.Struct):
    id: str
    created: int
    lines: _List


class _Payout(msgspec.Struct):
    id: str
    created: int
    automatic: bool
    reconciliation_status: str


class _EventSubject(msgspec.Struct):
    id: str


class _EventData(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    id: str
    type: str
    created: int
    data: _EventData


@dataclass(frozen=True)
class StripeSource:
    """See `Source`. `client` is the official one; it signs, times out and retries connection errors and 5xx itself."""

    client: stripe.StripeClient
    api_version: str = API_VERSION

    @staticmethod
    def connect(settings: Settings) -> StripeSource:
        settings.require(["stripe"])
        assert settings.stripe_api_key is not None
        return StripeSource(
            stripe.StripeClient(
                settings.stripe_api_key.reveal(),
                stripe_version=API_VERSION,
                base_addresses={"api": settings.stripe_api_base},
                max_network_retries=2,
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
                return self._created(stream, since)
            case "payouts":
                return self._payout_transactions(stream, since)
        raise SourceRefused(f"{stream}: there is no rule {stream.reads!r} for Stripe; see ingestion/streams.py.")

    def _objects(self, stream: Stream, since: int | None, rows_of: _RowsOf) -> Iterator[Page]:
        """What was created since, then what events say was changed; each object through `rows_of`."""
        feed = self._changes(stream, since)
        origin = "backfill" if since is None else "sweep" if feed is None else "event"
        changed, deleted = feed or ({}, {})
        newest = since or 0
        seen: set[str] = set()
        for raws in self._list(stream, stream.endpoint, _created(since if feed else None)):
            rows: list[Row] = []
            for raw in raws:
                about = head(stream, raw)
                newest = max(newest, about.created or 0)
                seen.add(about.id)
                rows.extend(rows_of(stream, raw, origin, _instant(changed.get(about.id))))
            yield Page(tuple(rows))
        for object_id, changed_at in changed.items():
            newest = max(newest, changed_at)
            current = None if object_id in seen else self._retrieve(stream, object_id)
            yield Page(tuple(rows_of(stream, current, "event", _instant(changed_at))) if current else ())
        yield Page(
            tuple(
                Row(object_id, exact(bytes(raw)), "event", source_at=_instant(deleted_at), is_deleted=True)
                for object_id, (raw, deleted_at) in deleted.items()
            ),
            cursor=str(max([newest, *(deleted_at for _, deleted_at in deleted.values())])),
        )

    def _whole(self, stream: Stream, raw: msgspec.Raw, origin: str, source_at: datetime | None) -> Iterator[Row]:
        about = head(stream, raw)
        yield Row(about.id, exact(bytes(raw)), origin, source_at=source_at or _instant(about.created))

    def _lines(self, stream: Stream, raw: msgspec.Raw, origin: str, source_at: datetime | None) -> Iterator[Row]:
        invoice = decode(stream, raw, _Invoice)
        pages: Iterator[list[msgspec.Raw]] = iter([invoice.lines.data])
        if invoice.lines.has_more:
            pages = self._list(stream, f"/v1/invoices/{quote(invoice.id)}/lines", {})
        for page in pages:
            for line in page:
                yield Row(
                    head(stream, line).id,
                    exact(bytes(line)),
                    origin,
                    parent_id=invoice.id,
                    source_at=source_at or _instant(invoice.created),
                )

    def _created(self, stream: Stream, since: int | None) -> Iterator[Page]:
        newest = since or 0
        start = None if since is None else since - int(stream.lookback.total_seconds())
        for raws in self._list(stream, stream.endpoint, _created(start)):
            rows = []
            for raw in raws:
                about = head(stream, raw)
                newest = max(newest, about.created or 0)
                rows.append(
                    Row(
                        about.id,
                        exact(bytes(raw)),
                        "backfill" if since is None else "sweep",
                        source_at=_instant(about.created),
                    )
                )
            yield Page(tuple(rows))
        yield Page(cursor=str(newest))

    def _payout_transactions(self, stream: Stream, since: int | None) -> Iterator[Page]:
        """Stripe attributes transactions to automatic payouts only, once reconciliation is completed."""
        newest = since or 0
        start = None if since is None else since - int(stream.lookback.total_seconds())
        origin = "backfill" if since is None else "sweep"
        for raws in self._list(stream, stream.endpoint, _created(start)):
            for raw in raws:
                payout = decode(stream, raw, _Payout)
                newest = max(newest, payout.created)
                if not (payout.automatic and payout.reconciliation_status == "completed"):
                    continue
                for transactions in self._list(stream, "/v1/balance_transactions", {"payout": payout.id}):
                    yield Page(
                        tuple(
                            Row(
                                f"{payout.id}/{head(stream, transaction).id}",
                                exact(bytes(transaction)),
                                origin,
                                parent_id=payout.id,
                                source_at=_instant(head(stream, transaction).created),
                            )
                            for transaction in transactions
                        )
                    )
        yield Page(cursor=str(newest))

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
                subject = decode(stream, event.data.object, _EventSubject)
                if event.type.endswith(".deleted") and event.type != "customer.subscription.deleted":
                    deleted.setdefault(subject.id, (event.data.object, event.created))
                else:
                    changed.setdefault(subject.id, event.created)
        return {key: at for key, at in changed.items() if key not in deleted}, deleted

    def _list(self, stream: Stream, path: str, params: Mapping[str, Any]) -> Iterator[list[msgspec.Raw]]:
        """Pages of a list, newest first as Stripe sends them, to the end."""
        query = {"limit": _PAGE, **params}
        if path == "/v1/subscriptions":
            query["status"] = "all"
        while True:
            page = decode(stream, self._get(stream, path, query), _List)
            yield page.data
            if not page.has_more:
                return
            if not page.data:
                raise SourceError(
                    f"{stream}: Stripe said has_more after an empty page of {path}; reading on would skip objects. "
                    "Run again; nothing was lost, the cursor has not moved."
                )
            query["starting_after"] = head(stream, page.data[-1]).id

    def _retrieve(self, stream: Stream, object_id: str) -> msgspec.Raw | None:
        """The object as it is now; None when it is gone (its deletion has an event of its own)."""
        try:
            return msgspec.Raw(self._get(stream, f"{stream.endpoint}/{quote(object_id)}", {}))
        except SourceError as error:
            cause = error.__cause__
            if isinstance(cause, stripe.InvalidRequestError) and cause.code == "resource_missing":
                return None
            raise

    def _get(self, stream: Stream, path: str, params: Mapping[str, Any]) -> bytes:
        try:
            return self._answer(path, params).encode()
        except stripe.PermissionError as error:
            raise SourceRefused(
                f"{stream}: the Stripe key may not read {path} ({_sentence(error)}): "
                "give the restricted key read permission for this resource."
            ) from error
        except stripe.AuthenticationError as error:
            raise SourceRefused(
                f"{stream}: Stripe refused the key ({_sentence(error)}): check STRIPE_API_KEY."
            ) from error
        except stripe.APIConnectionError as error:
            raise SourceError(
                f"{stream}: Stripe can't be reached: check the network and STRIPE_API_BASE, and run again: "
                "the cursor has not moved."
            ) from error
        except stripe.StripeError as error:
            raise SourceError(
                f"{stream}: Stripe did not answer {path}: {_sentence(error)} Run again: the cursor has not moved."
            ) from error

    @stamina.retry(on=stripe.RateLimitError, attempts=8, timeout=120.0)
    def _answer(self, path: str, params: Mapping[str, Any]) -> str:
        # The client retries a 429 only when Stripe says `stripe-should-retry`; without this a busy account fails the run.
        return str(self.client.raw_request("get", path, **params).body)


def _created(since: int | None) -> dict[str, Any]:
    return {} if since is None else {"created": {"gte": since}}


def _instant(unix_seconds: int | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, UTC)


def _sentence(error: stripe.StripeError) -> str:
    return " ".join((error.user_message or str(error) or type(error).__name__).split()).rstrip(".") + "."
