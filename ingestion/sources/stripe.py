"""Stripe, through the official client (https://docs.stripe.com/api), pinned to one API version.

Stripe has no "updated since": a list filtered by `created` misses every edit. So a later run lists what was created since the
cursor and, from `/v1/events` (the change feed, kept 30 days, https://docs.stripe.com/api/events), fetches every object again
that an event names: an event's own copy is rendered in another API version and its nested lists are cut, so it is not used.
A cursor older than the feed reads the whole list again, and says so; unchanged versions do not land twice.
The cursor is a Unix second of Stripe's own clock, that of the newest event or object there was before anything else was read:
what is created or edited while a run reads is newer, and read by the next one. Reads start some minutes before it: a second holds
many objects, and not all of them are listed in the second in which they are made. Every list's end is asked for once more.

A list is one request after another, each waiting for the last. So what is left of a long one is cut by `created` as soon as a
worker has nothing to do, into parts that are lists of their own, within what Stripe allows (https://docs.stripe.com/rate-limits).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import chain, pairwise
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec
import stripe
import urllib3
from requests.utils import get_auth_from_url, get_environ_proxies, select_proxy

from ingestion.api import NotAnswered, Pace, Step, ask, side_by_side
from ingestion.payload import Head, Item, Page, Row, SourceError, SourceRefused, decode, head, heads
from ingestion.settings import Settings
from ingestion.sources.base import Landed, Measure, Window, tallied
from ingestion.streams import Stream

API_VERSION = "2026-05-27.dahlia"

_PAGE = 100
_DAY = 24 * 3600
# Stripe keeps 30 days; a day less, because our clock is not Stripe's.
_EVENTS_KEPT_SECONDS = 29 * _DAY
_OVERLAP_SECONDS = 300

# What Stripe allows a second: an account (in test mode a quarter of it), and any one endpoint.
_ACCOUNT_LIMIT, _ENDPOINT_LIMIT = 100.0, 25.0
# Enough to reach an endpoint's limit with answers that take 0.3 s.
_AT_ONCE = 8
_SECONDS_TO_ANSWER = 80.0
_PAGES_AHEAD = 20
# A part costs a request more than its pages: the one for its end.
_FEWEST_PAGES, _MOST_PAGES = 8, 256
# More changed objects than Stripe lets us fetch in a second are looked for in pages of the list.
_FETCHED_SINGLY = 25

T = TypeVar("T")
_Reading: TypeAlias = Callable[[list[msgspec.Raw]], tuple[T, Sequence[Step[T]]]]
"""What to make of the objects of a page, and the lists in them that are to be read as well."""


class _List(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool


class _Listed(msgspec.Struct):
    """What reading on needs of an object; an invoice item has `date` for `created`."""

    id: str
    created: int | None = None
    date: int | None = None
    deleted: bool = False

    @property
    def at(self) -> int | None:
        return self.date if self.created is None else self.created


class _Invoice(msgspec.Struct):
    lines: _List


class _Payout(msgspec.Struct):
    automatic: bool
    reconciliation_status: str


class _EventData(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    type: str
    created: int
    data: _EventData


@dataclass(frozen=True)
class _Change:
    """That an object changed, last at `at`; when it was created, and its last copy, where an event says so (Unix seconds)."""

    at: int
    created: int | None = None
    deleted: bytes | None = None


@dataclass(frozen=True)
class _Part:
    """What is left of a list: objects created from `since` to before `until` that come after the object `after`."""

    path: str
    filters: Mapping[str, Any] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    after: str | None = None
    is_end_told: bool = False

    @property
    def query(self) -> dict[str, Any]:
        created = {name: at for name, at in (("gte", self.since), ("lt", self.until)) if at is not None}
        return {
            # An answer cut short looks like the end: it is one only if nothing follows when asked once more.
            "limit": 1 if self.is_end_told else _PAGE,
            **_every(self.path),
            **self.filters,
            **({"created": created} if created else {}),
            **({"starting_after": self.after} if self.after else {}),
        }

    def holds(self, one: _Listed) -> bool:
        """Whether the object can be of this part."""
        return one.at is None or ((self.since or 0) <= one.at and (self.until is None or one.at < self.until))

    def cut(self, newest: int, oldest: int, idle: int, grain: int) -> list[_Part]:
        """This part, or pieces of it for idle workers, cut at multiples of `grain`; newest to oldest is what a page spans."""
        span = max(1, newest - oldest)
        # How far back an unbounded list reaches is not known: the last of the pieces takes it to its end.
        reach = oldest - self.since if self.since is not None else span * _MOST_PAGES * (idle + 1)
        pieces = min(idle + 1, reach // span // _FEWEST_PAGES)
        cuts = sorted({(oldest - reach * n // pieces) // grain * grain for n in range(1, pieces)})
        bounds = [self.since, *(at for at in cuts if at > (self.since or 0)), self.until]
        older = [replace(self, since=low, until=high, after=None) for low, high in pairwise(bounds[:-1])]
        return [replace(self, since=bounds[-2]), *reversed(older)]


class _Verbatim(stripe.HTTPClient):
    """Stripe over urllib3, with the SDK's certificates and through the proxy that the environment names for `base`; the SDK
    sees an empty object in place of an answer's body.

    Of the body it would make text, a dictionary and objects, which takes fifty times as long as reading it; and the requests
    library, which it would use, takes three times as long as urllib3 beneath it, and would let a ~/.netrc replace the key.
    """

    name = "urllib3"

    def __init__(self, base: str) -> None:
        super().__init__()
        proxy = select_proxy(base, get_environ_proxies(base))
        pool: Callable[..., urllib3.PoolManager] = urllib3.PoolManager
        if proxy:
            login = urllib3.make_headers(proxy_basic_auth=":".join(get_auth_from_url(proxy)))
            pool = partial(urllib3.ProxyManager, proxy, proxy_headers=login)
        self._pool = pool(maxsize=_AT_ONCE, retries=False, timeout=_SECONDS_TO_ANSWER, ca_certs=stripe.ca_bundle_path)

    def request(  # type: ignore[override]  # the SDK's clients leave out what their base class lists
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[Any, int, Mapping[str, str]]:
        try:
            answer = self._pool.urlopen(method.upper(), url, body=post_data, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise stripe.APIConnectionError(str(error)) from error  # type: ignore[no-untyped-call]
        return _Body.of(answer.data) if answer.status < 300 else answer.data, answer.status, answer.headers


class _Body(str):
    """An empty object to who reads it as text; `verbatim` is what came."""

    verbatim: bytes

    @staticmethod
    def of(verbatim: bytes) -> _Body:
        body = _Body("{}")
        body.verbatim = verbatim
        return body


class _Limits:
    """Keeps requests within `account` a second, and those of an endpoint within a quarter of it or what Stripe allows one."""

    def __init__(self, account: float) -> None:
        self.account, self._account = account, Pace(account)
        self._endpoints = defaultdict[str, Pace](lambda: Pace(max(_ENDPOINT_LIMIT, account / 4)))

    def wait(self, path: str) -> None:
        self._endpoint(path).wait()
        self._account.wait()

    def is_waited_for(self, path: str) -> bool:
        return self._endpoint(path).is_waited_for or self._account.is_waited_for

    def _endpoint(self, path: str) -> Pace:
        resource, *rest = path.removeprefix("/v1/").split("/")
        return self._endpoints["/".join([resource, *rest[1:]])]


@dataclass(frozen=True)
class StripeSource:
    """See `Source`. `client` is the official one; it signs, versions, times out and tells errors apart; `ask` asks again."""

    client: stripe.StripeClient
    limits: _Limits
    landed: Landed
    now: Callable[[], datetime]
    api_version: str = API_VERSION

    @staticmethod
    def connect(settings: Settings, landed: Landed, now: Callable[[], datetime]) -> StripeSource:
        settings.require(["stripe"])
        assert settings.stripe_api_key is not None
        key = settings.stripe_api_key.reveal()
        client = stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": settings.stripe_api_base},
            http_client=_Verbatim(settings.stripe_api_base),
            max_network_retries=0,
        )
        allowed = _ACCOUNT_LIMIT / 4 if "_test_" in key else _ACCOUNT_LIMIT
        return StripeSource(client, _Limits(settings.stripe_requests_per_second or allowed), landed, now)

    def read(self, stream: Stream, cursor: str | None) -> Iterator[Page]:
        """What was created since the cursor, then what else was changed as events say; all, where there is no cursor."""
        since = int(cursor) if cursor is not None else None
        place = self._newest(stream, since)
        remark = self._gap(stream, since)
        is_repair = remark is not None and bool(stream.change_events)
        changes: dict[str, _Change] = {}
        part, origin = _Part(stream.endpoint), "backfill" if since is None else "sweep"
        if since is not None and not is_repair:
            changes = self._changes(stream, since)
            part = replace(part, since=since - max(_OVERLAP_SECONDS, int(stream.lookback.total_seconds())))
            origin = "event" if stream.change_events else "sweep"
        missing = dict(changes)
        # An invoice that is still a draft can lose lines, and all of them by being deleted.
        gone = self.landed.live_children(stream, changes) if stream.reads == "lines" else {}
        unreadable: list[bytes] = []
        listed = self._pages(stream, part, partial(self._rows, stream, changes, origin))
        for page in chain(listed, self._changed(stream, changes, missing)):
            unreadable += [one.original for one in page.rejected]
            for row in page.rows:
                missing.pop(row.parent_id or row.object_id, None)
                gone.get(row.parent_id or "", set()).discard(row.object_id)
            yield page
        yield Page(
            [
                Row(line, b"{}", "event", parent_id=parent, source_at=_instant(changes[parent].at), is_deleted=True)
                for parent, lines in gone.items()
                for line in lines
                # What is there and can't be understood is not gone.
                if not any(line.encode() in original for original in unreadable)
            ],
            cursor=None if place is None else str(place),
            # A stream in which nothing happens must not fall behind what the feed reaches back to.
            is_checkpoint=bool(since and place and place - since > _DAY),
            is_complete_listing=is_repair and any(kind.endswith(".deleted") for kind in stream.change_events),
            remark=remark,
        )

    def _newest(self, stream: Stream, since: int | None) -> int | None:
        """The second up to which everything there is will have been read: asked for before anything else is."""
        stamps = [since]
        for path in (stream.endpoint, *(["/v1/events"] if stream.change_events else [])):
            newest = self._get(stream, path, _List, {"limit": 1, **_every(path)}).data
            stamps += [one.at for raw in newest if (one := _listed(raw))]
        return max((at for at in stamps if at is not None), default=None)

    def _gap(self, stream: Stream, since: int | None) -> str | None:
        """In a sentence, that the stream stood before what the feed reaches back to, and what was done."""
        reach = int(self.now().timestamp()) - _EVENTS_KEPT_SECONDS
        if since is None or since >= reach:
            return None
        stood = f"{stream}: stood at {_instant(since)}, before what Stripe's events reach back to;"
        if stream.change_events:
            return f"{stood} the whole list was read again."
        return f"{stood} those before {_instant(reach)} are lost." if stream.endpoint == "/v1/events" else None

    def _changes(self, stream: Stream, since: int) -> dict[str, _Change]:
        """By object id, what the feed says was changed since."""
        changes: dict[str, _Change] = {}
        if not stream.change_events:
            return changes
        kind = stream.endpoint.rpartition("/")[2].removesuffix("s")
        feed = _Part("/v1/events", {"types": list(stream.change_events)}, since - _OVERLAP_SECONDS)
        for events in self._pages(stream, feed, lambda raws: ([decode(stream, raw, _Event) for raw in raws], ())):
            for event in events:
                subject = decode(stream, event.data.object, dict[str, object])
                # A dispute changes its charge too: there the object of the stream is the one that the subject names.
                is_own = subject.get("object", kind) == kind
                object_id = subject.get("id" if is_own else kind)
                if not isinstance(object_id, str):
                    # An invoice that is only coming has no id, and a discount need not be a customer's.
                    continue
                known, listed = changes.get(object_id, _Change(0)), _listed(event.data.object)
                changes[object_id] = _Change(
                    max(known.at, event.created),
                    listed.at if is_own and listed else known.created,
                    bytes(event.data.object) if is_own and event.type.endswith(".deleted") else known.deleted,
                )
        return changes

    def _changed(self, stream: Stream, changes: Mapping[str, _Change], missing: dict[str, _Change]) -> Iterator[Page]:
        """Those of the changed objects that go on missing: many in pages of the list, what these don't show one by one."""
        dated = sorted(((one.created, key) for key, one in missing.items() if one.created is not None), reverse=True)
        if len(dated) > _FETCHED_SINGLY:
            share = -(-len(dated) // _AT_ONCE)
            steps = [
                partial(self._from_one_on, stream, changes, dated[start : start + share])
                for start in range(0, len(dated), share)
            ]
            yield from side_by_side(steps, _AT_ONCE, _PAGES_AHEAD)
        yield from side_by_side(
            [partial(self._again, stream, changes, object_id) for object_id in missing], _AT_ONCE, _PAGES_AHEAD
        )

    def _from_one_on(
        self, stream: Stream, changes: Mapping[str, _Change], wanted: Sequence[tuple[int, str]], idle: int
    ) -> tuple[Page, list[Step[Page]]]:
        """The changed objects on the page of the list that the first wanted one stands on; next, the first that did not."""
        raws = self._get(stream, stream.endpoint, _List, _Part(stream.endpoint, until=wanted[0][0] + 1).query).data
        shown = {one.id: (one.at or 0, raw) for raw in raws if (one := _listed(raw))}
        oldest = min((at for at, _ in shown.values()), default=0)
        changed = [raw for object_id, (_, raw) in shown.items() if object_id in changes]
        page, nested = self._rows(stream, changes, "event", changed)
        rest = [(at, object_id) for at, object_id in wanted[1:] if object_id not in shown and at <= oldest]
        return page, [*nested, *([partial(self._from_one_on, stream, changes, rest)] if rest else [])]

    def _again(
        self, stream: Stream, changes: Mapping[str, _Change], object_id: str, idle: int
    ) -> tuple[Page, Sequence[Step[Page]]]:
        """A changed object as it is now. One that is gone is deleted if an event says so."""
        current = self._retrieve(stream, object_id)
        if current is not None:
            return self._rows(stream, changes, "event", [current])
        change = changes[object_id]
        if change.deleted is None:
            return Page(), ()
        return Page([Row(object_id, change.deleted, "event", source_at=_instant(change.at), is_deleted=True)]), ()

    def _rows(
        self, stream: Stream, changes: Mapping[str, _Change], origin: str, raws: Sequence[msgspec.Raw]
    ) -> tuple[Page, list[Step[Page]]]:
        """The rows of some listed objects, and the lists in them that are to be read to their ends."""
        rows: list[Row] = []
        nested: list[Step[Page]] = []
        found, rejected = heads(stream, raws)
        for about, raw in found:
            change = changes.get(about.id)
            source_at = _instant(change.at if change else about.created_second)
            match stream.reads:
                case "lines":
                    inner = partial(self._inner, stream, about.id, origin, source_at)
                    lines = decode(stream, raw, _Invoice).lines
                    if lines.has_more:
                        whole = _Part(f"/v1/invoices/{quote(about.id)}/lines")
                        nested.append(partial(self._next_page, stream, whole, inner, 1))
                    else:
                        page, _ = inner(lines.data)
                        rows += page.rows
                        rejected += page.rejected
                case "payouts":
                    # Stripe attributes transactions to automatic payouts only, once reconciliation is completed.
                    payout = decode(stream, raw, _Payout)
                    if payout.automatic and payout.reconciliation_status == "completed":
                        settled = _Part("/v1/balance_transactions", {"payout": about.id})
                        inner = partial(self._inner, stream, about.id, origin, source_at)
                        nested.append(partial(self._next_page, stream, settled, inner, 1))
                case _:
                    rows.append(Row(about.id, bytes(raw), origin, source_at=source_at))
        return Page(rows, rejected=rejected), nested

    def _inner(
        self, stream: Stream, parent_id: str, origin: str, source_at: datetime | None, raws: Sequence[msgspec.Raw]
    ) -> tuple[Page, Sequence[Step[Page]]]:
        """The rows of objects that were listed in another one."""
        found, rejected = heads(stream, raws)
        # The same transaction stands in the payout that it went into and in the one that took it back.
        prefix = f"{parent_id}/" if stream.reads == "payouts" else ""
        return Page(
            [
                Row(prefix + about.id, bytes(raw), origin, parent_id=parent_id, source_at=source_at)
                for about, raw in found
            ],
            rejected=rejected,
        ), ()

    def tally(self, stream: Stream, window: Window) -> Mapping[Measure, Decimal]:
        return tallied(stream, self.roster(stream, window))

    def roster(self, stream: Stream, window: Window) -> Iterator[Item]:
        """The stream listed once more, cut at other seconds than `read` cuts at: what one loses there, the other shows."""
        part = _Part(
            stream.endpoint,
            since=int(window.since.timestamp()) if window.since else None,
            until=int(window.until.timestamp()),
        )
        for page in self._pages(stream, part, partial(self._rows, stream, {}, ""), grain=_DAY):
            for row in page.rows:
                if isinstance(found := head(stream, row.payload), Head):
                    yield msgspec.structs.replace(found.item(), object_id=row.object_id)

    def probe(self, stream: Stream) -> None:
        self._get(stream, stream.endpoint, _List, {"limit": 1})

    def _pages(self, stream: Stream, part: _Part, reading: _Reading[T], grain: int = 1) -> Iterator[T]:
        """What `reading` makes of each page of a list, to the end, and of the lists in it; in no order."""
        return side_by_side([partial(self._next_page, stream, part, reading, grain)], _AT_ONCE, _PAGES_AHEAD)

    def _next_page(
        self, stream: Stream, part: _Part, reading: _Reading[T], grain: int, idle: int
    ) -> tuple[T, Sequence[Step[T]]]:
        """One page, newest first as Stripe sends them, and what is left of the part."""
        page = self._get(stream, part.path, _List, part.query)
        newest = next((one for raw in page.data if (one := _listed(raw))), None)
        oldest = next((one for raw in reversed(page.data) if (one := _listed(raw))), None)
        if page.has_more and (oldest is None or oldest.id == part.after):
            raise SourceError(
                f"{stream}: Stripe said has_more after a page of {part.path} that was empty or had been read; reading on would "
                "skip objects. Run again."
            )
        if not all(one is None or part.holds(one) for one in (newest, oldest)):
            raise SourceError(
                f"{stream}: Stripe answered {part.path} with objects of another time than was asked for; reading on would skip "
                "objects. Run again."
            )
        result, following = reading(page.data)
        if part.is_end_told and not page.has_more and oldest is None:
            return result, following
        left = replace(part, after=oldest.id if oldest else part.after, is_end_told=not page.has_more)
        pieces = [left]
        if page.has_more and newest and oldest and newest.at is not None and oldest.at is not None:
            # Another worker would only wait with the others for its turn.
            pieces = left.cut(newest.at, oldest.at, 0 if self.limits.is_waited_for(part.path) else idle, grain)
        return result, [*following, *(partial(self._next_page, stream, piece, reading, grain) for piece in pieces)]

    def _retrieve(self, stream: Stream, object_id: str) -> msgspec.Raw | None:
        """The object as it is now; None when it is gone: some kinds are then not found, others only say so."""
        try:
            found = self._get(stream, f"{stream.endpoint}/{quote(object_id)}", msgspec.Raw, {})
        except SourceError as error:
            if isinstance(error.__cause__, NotAnswered) and error.__cause__.code == "resource_missing":
                return None
            raise
        about = _listed(found)
        return None if about and about.deleted else found

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
        self.limits.wait(path)
        try:
            answer = self.client.raw_request("get", path, **params)
        except stripe.StripeError as error:
            said = {name.lower(): value for name, value in (error.headers or {}).items()}
            raise NotAnswered(_sentence(error), error.http_status, said.get("retry-after"), error.code) from error
        assert isinstance(answer.body, _Body)
        return answer.body.verbatim


def _listed(raw: msgspec.Raw) -> _Listed | None:
    try:
        return msgspec.json.decode(raw, type=_Listed)
    except msgspec.MsgspecError:
        return None


def _every(path: str) -> dict[str, Any]:
    """Stripe leaves canceled subscriptions out unless it is asked for all."""
    return {"status": "all"} if path == "/v1/subscriptions" else {}


def _instant(unix_seconds: int | None) -> datetime | None:
    return None if unix_seconds is None else datetime.fromtimestamp(unix_seconds, UTC)


def _sentence(error: stripe.StripeError) -> str:
    return " ".join((error.user_message or str(error) or type(error).__name__).split())[:200].rstrip(".") + "."
