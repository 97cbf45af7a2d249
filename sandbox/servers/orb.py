"""Orb's API, read side, over a dataset: the endpoints that Tieout reads, as Orb's OpenAPI document (1.0) has them.

What is served is the table ENDPOINTS; any other path is Orb's 404, any other parameter its validation error.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from sandbox.servers.collection import Collection, Lookup, Object, Range, Read, at, window
from sandbox.servers.http import Reply, Request, TokenBucket

ERRORS = "https://docs.withorb.com/reference/error-responses#"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(days=7)

_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OrbError(Exception):
    def __init__(self, status: int, slug: str, title: str, detail: str, **more: object) -> None:
        super().__init__(detail)
        self.status = status
        self.body = {"type": ERRORS + slug, "status": status, "title": title, "detail": detail, **more}


def _invalid(*problems: str) -> OrbError:
    title, detail = "Request validation error", "; ".join(problems)
    return OrbError(400, "400-request-validation-errors", title, detail, validation_errors=list(problems))


def _not_found(noun: str, identity: str) -> OrbError:
    return OrbError(404, "404-resource-not-found", "Resource not found", f"There is no {noun} {identity!r}.")


# --- what a parameter's text must be: each raises ValueError with what it must be ---------------------------------

Kind = Callable[[str], Any]


def boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return value.lower() == "true"


def decimal(value: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("must be a decimal number") from error


def instant(value: str) -> int:
    """Microseconds since 1970 of an ISO 8601 instant; without an offset it is UTC, as Orb's documents say."""
    moment = datetime.fromisoformat(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def calendar_day(value: str) -> int:
    return instant(date.fromisoformat(value).isoformat())


def days_or_months(value: str) -> timedelta:
    if not (match := re.fullmatch(r"(\d{1,4})([dm])", value)):
        raise ValueError("must be a number followed by d or m")
    return timedelta(days=int(match[1]) * {"d": 1, "m": 30}[match[2]])


def one_of(*allowed: str) -> Kind:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def at_most(most: int) -> Kind:
    def check(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= most:
            raise ValueError(f"must be an integer from 1 to {most}")
        return int(value)

    return check


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameter:
    """A query parameter in the `forms` it is written in: `name`, `name[]`, `name[gte]`...

    With `read` it is a filter: `read` gives the value that each object is compared by.
    """

    name: str
    kind: Kind = str
    read: Read | None = None
    forms: tuple[str, ...] = ("",)

    @property
    def spellings(self) -> tuple[str, ...]:
        return tuple(self.name + form for form in self.forms)


def _instant_at(*paths: str) -> Read:
    read = at(*paths)
    return lambda value: None if (found := read(value)) is None else instant(found)


def _day_at(path: str) -> Read:
    read = at(path)
    return lambda value: None if (found := read(value)) is None else calendar_day(found[:10])


BOUNDS = {"[gt]": "above", "[gte]": "least", "[lt]": "below", "[lte]": "most"}
CURSOR = Parameter("cursor")
PAGE = (Parameter("limit", at_most(100)), CURSOR)


def _since(name: str, *paths: str) -> Parameter:
    return Parameter(name, instant, _instant_at(*(paths or (name,))), tuple(BOUNDS))


# An item's or a metric's own creation time is where the document has it; metrics are as old as their item.
CREATED_AT = _since("created_at", "created_at", "item.created_at")
CUSTOMER, EXTERNAL_CUSTOMER = at("customer.id"), at("customer.external_customer_id")
SUBSCRIPTION_STATUS = one_of("active", "ended", "upcoming")
CREDITS = (*PAGE, Parameter("currency"), Parameter("include_all_blocks", boolean), _since("effective_date"))
LEDGER = (
    Parameter("limit", at_most(1000)),
    CURSOR,
    Parameter("currency", read=at("currency")),
    Parameter("minimum_amount", decimal),
    Parameter(
        "entry_type",
        one_of(
            "increment", "decrement", "expiration_change", "credit_block_expiry", "void", "void_initiated", "amendment"
        ),
        at("entry_type"),
    ),
    Parameter("entry_status", one_of("committed", "pending"), at("entry_status")),
    CREATED_AT,
)  # fmt: skip

ENDPOINTS: Mapping[str, tuple[Parameter, ...]] = {
    "GET /ping": (),
    "GET /customers": (*PAGE, CREATED_AT),
    "GET /customers/{customer_id}": (),
    "GET /customers/external_customer_id/{external_customer_id}": (),
    "GET /customers/{customer_id}/credits": CREDITS,
    "GET /customers/external_customer_id/{external_customer_id}/credits": CREDITS,
    "GET /customers/{customer_id}/credits/ledger": LEDGER,
    "GET /customers/external_customer_id/{external_customer_id}/credits/ledger": LEDGER,
    "GET /credit_blocks/{block_id}": (),
    "GET /plans": (*PAGE, Parameter("status", one_of("active", "archived", "draft"), at("status")), CREATED_AT),
    "GET /plans/{plan_id}": (),
    "GET /plans/external_plan_id/{external_plan_id}": (),
    "GET /prices": PAGE,
    "GET /prices/{price_id}": (),
    "GET /prices/external_price_id/{external_price_id}": (),
    "GET /items": PAGE,
    "GET /items/{item_id}": (),
    "GET /metrics": (*PAGE, CREATED_AT),
    "GET /metrics/{metric_id}": (),
    "GET /subscriptions": (
        *PAGE,
        Parameter("customer_id", read=CUSTOMER, forms=("[]",)),
        Parameter("external_customer_id", read=EXTERNAL_CUSTOMER, forms=("[]",)),
        Parameter("plan_id", read=at("plan.id")),
        Parameter("external_plan_id", read=at("plan.external_plan_id")),
        Parameter("status", SUBSCRIPTION_STATUS, at("status"), ("", "[]")),
        CREATED_AT,
    ),
    "GET /subscriptions/{subscription_id}": (),
    "GET /subscriptions/{subscription_id}/usage": (
        Parameter("granularity", one_of("day")),
        Parameter("timeframe_start", instant),
        Parameter("timeframe_end", instant),
        Parameter("billable_metric_id"),
        Parameter("group_by"),
        Parameter("view_mode", one_of("periodic", "cumulative")),
        Parameter("first_dimension_key"),
        Parameter("first_dimension_value"),
        Parameter("second_dimension_key"),
        Parameter("second_dimension_value"),
    ),
    "GET /invoices": (
        *PAGE,
        Parameter("customer_id", read=CUSTOMER),
        Parameter("external_customer_id", read=EXTERNAL_CUSTOMER),
        Parameter("subscription_id", read=at("subscription.id")),
        Parameter("status", one_of("draft", "issued", "paid", "synced", "void"), at("status"), ("[]",)),
        Parameter("due_date_window", days_or_months),
        Parameter("date_type", one_of("due_date", "invoice_date")),
        Parameter("due_date", calendar_day, _day_at("due_date"), ("", "[gt]", "[lt]")),
        Parameter("amount", decimal, lambda invoice: decimal(invoice["total"]), ("", "[gt]", "[lt]")),
        Parameter("is_recurring", boolean, lambda invoice: invoice.get("invoice_source") == "subscription"),
        _since("invoice_date"),
    ),
    "GET /invoices/{invoice_id}": (),
    "GET /credit_notes": (*PAGE, CREATED_AT),
    "GET /credit_notes/{credit_note_id}": (),
    "GET /events/backfills": PAGE,
    "GET /events/backfills/{backfill_id}": (),
    "GET /events/volume": (
        *PAGE, Parameter("timeframe_start", instant), Parameter("timeframe_end", instant)
    ),
    "POST /events/search": (),
}  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """The objects behind /<name>: their file, the column they are listed by (newest first) and their other id."""

    noun: str
    order: str | None = "created_at"
    external_id: str | None = None
    file: str = ""


RESOURCES = {
    "customers": Resource("customer", external_id="external_customer_id"),
    "plans": Resource("plan", external_id="external_plan_id"),
    "prices": Resource("price", external_id="external_price_id"),
    "items": Resource("item"),
    "metrics": Resource("metric", order=None),
    "subscriptions": Resource("subscription"),
    "invoices": Resource("invoice", order="invoice_date"),
    "credit_notes": Resource("credit note"),
    "events/backfills": Resource("backfill", file="backfills"),
}

ROUTES = [
    (endpoint.split()[0], re.compile(re.sub(r"{\w+}", "([^/]+)", endpoint.split()[1])), endpoint)
    # A literal segment goes before a parameter: /customers/external_customer_id/x is no customer's list.
    for endpoint in sorted(ENDPOINTS, key=lambda endpoint: endpoint.count("{external"), reverse=True)
]


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """EventSearchCriteria."""

    event_ids: list[str]
    timeframe_start: str | None = None
    timeframe_end: str | None = None


class Orb:
    """Answers requests from the files of `<dataset>/orb`. Raises DatasetError at once for a file it cannot serve."""

    def __init__(self, dataset: Path, api_key: str, now: datetime, requests_per_second: float = 10_000) -> None:
        self._api_key, self._now = api_key, now
        self._account = TokenBucket(requests_per_second)
        folder = dataset / "orb"
        self._collections = {name: self._load(folder, name, resource) for name, resource in RESOURCES.items()}
        self._ledger = Collection.load(
            folder / "credit_ledger.jsonl",
            columns={
                "customer": CUSTOMER,
                "block": at("credit_block.id"),
                "amount": lambda entry: abs(entry["amount"]),
                **_columns(LEDGER),
            },
            order="created_at",
        )
        # A block does not say its currency; its ledger entries do.
        ledger = self._ledger.columns
        currencies = dict(zip(ledger["block"], ledger["currency"], strict=True))
        self._blocks = Collection.load(
            folder / "credit_blocks.jsonl",
            columns={
                "customer": at("customer_id"),
                "currency": lambda block: currencies.get(block["id"], "credits"),
                "is_open": lambda block: bool(block["balance"]) and not self._is_past(block["expiry_date"]),
                "effective_date": _instant_at("effective_date"),
            },
        )
        self._usage = Collection.load(
            folder / "subscription_usage.jsonl",
            key=lambda line: f"{line['subscription_id']}/{line['billable_metric']['id']}",
            columns={"subscription": at("subscription_id")},
        )
        volumes = Collection.load(
            folder / "event_volume.jsonl",
            key=lambda line: str(line["timeframe_start"]),
            columns={"hour": _instant_at("timeframe_start")},
        )
        self._volumes = {hour: volumes.raw(rank) for rank, hour in enumerate(volumes.columns["hour"])}
        self._events = Lookup.load(folder / "events.jsonl")

    def _load(self, folder: Path, name: str, resource: Resource) -> Collection:
        columns = _columns(ENDPOINTS[f"GET /{name}"])
        if resource.order:
            columns.setdefault(resource.order, _instant_at(resource.order))
        if resource.external_id:
            columns.setdefault(resource.external_id, at(resource.external_id))
        return Collection.load(folder / f"{resource.file or name}.jsonl", columns=columns, order=resource.order)

    def __call__(self, request: Request) -> Reply:
        try:
            scheme, _, key = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(key.encode(), self._api_key.encode()):
                raise OrbError(
                    401, "401-authentication-error", "Authentication error", "The API key is missing or wrong."
                )
            if not self._account.take():
                raise OrbError(429, "429-too-many-requests", "Too many requests", "Slow down and try again.")
            endpoint, identities = _route(request)
            if endpoint == "POST /events/search":
                return Reply(200, self._search(request.body))
            return Reply(200, self._answer(endpoint, identities, _parse(ENDPOINTS[endpoint], request.query)))
        except OrbError as error:
            return Reply(error.status, msgspec.json.encode(error.body))

    def _answer(self, endpoint: str, identities: Sequence[str], asked: Mapping[str, Any]) -> bytes:
        path = endpoint.partition(" /")[2]
        match path.split("/"):
            case ["ping"]:
                return b'{"response":"pong"}'
            case ["events", "volume"]:
                return self._volume(asked)
            case ["subscriptions", _, "usage"]:
                return self._subscription_usage(identities[0], asked)
            case ["customers", *_, "credits"]:
                return self._credits(self._customer(path, identities[0]), asked)
            case ["customers", *_, "credits", "ledger"]:
                return self._ledger_entries(self._customer(path, identities[0]), asked)
            case ["credit_blocks", _]:
                if (raw := self._blocks.get(identities[0])) is None:
                    raise _not_found("credit block", identities[0])
                return _as_block(raw)
        if identities:
            return self._retrieve(path, identities[0])
        return self._list(path, asked)

    def _retrieve(self, path: str, identity: str) -> bytes:
        name = next(name for name in RESOURCES if path.startswith(name))
        resource, collection = RESOURCES[name], self._collections[name]
        raw = collection.get(identity)
        if resource.external_id and "{external" in path:
            ranks = collection.select({resource.external_id: frozenset({identity})})
            raw = collection.raw(ranks[0]) if ranks else None
        if raw is None:
            raise _not_found(resource.noun, identity)
        return raw

    def _customer(self, path: str, identity: str) -> str:
        return str(_decode(self._retrieve(path, identity))["id"])

    def _list(self, name: str, asked: Mapping[str, Any]) -> bytes:
        wanted = _conditions(ENDPOINTS[f"GET /{name}"], asked)
        if name == "invoices":
            wanted.setdefault("status", frozenset({"issued", "paid", "synced"}))
            if asked.get("date_type") == "due_date" and "invoice_date" in wanted:
                wanted["due_date"] = wanted.pop("invoice_date")
            if window_ := asked.get("due_date_window"):
                wanted["due_date"] = Range(least=_micros(self._now - window_), most=_micros(self._now))
        return _page(self._collections[name], self._collections[name].select(wanted), asked)

    def _credits(self, customer: str, asked: Mapping[str, Any]) -> bytes:
        wanted = _conditions(CREDITS, asked)
        wanted["customer"] = frozenset({customer})
        # "currency defaults to credits if not specified": blocks in money are listed only when their currency is named.
        wanted["currency"] = frozenset({asked.get("currency", "credits")})
        if not asked.get("include_all_blocks"):
            wanted["is_open"] = frozenset({True})
        return _page(self._blocks, self._blocks.select(wanted), asked, _as_block)

    def _ledger_entries(self, customer: str, asked: Mapping[str, Any]) -> bytes:
        wanted = _conditions(LEDGER, asked)
        wanted["customer"] = frozenset({customer})
        wanted.setdefault("currency", frozenset({"credits"}))
        if "minimum_amount" in asked:
            wanted["amount"] = Range(least=asked["minimum_amount"])
        return _page(self._ledger, self._ledger.select(wanted), asked)

    def _subscription_usage(self, identity: str, asked: Mapping[str, Any]) -> bytes:
        subscription = _decode(self._retrieve("subscriptions/{subscription_id}", identity))
        if unsupported := {"group_by", "first_dimension_key", "second_dimension_key"} & asked.keys():
            raise OrbError(
                400,
                "404-feature-not-available",
                "Feature not available",
                f"The sandbox keeps usage by metric and day, so {', '.join(sorted(unsupported))} is not available.",
            )
        if ("timeframe_start" in asked) != ("timeframe_end" in asked):
            raise _invalid("timeframe_start and timeframe_end must be specified together")
        start = asked.get("timeframe_start") or instant(subscription["current_billing_period_start_date"])
        end = asked.get("timeframe_end") or instant(subscription["current_billing_period_end_date"])
        if start >= end:
            raise _invalid("timeframe_end must be after timeframe_start")
        zone = ZoneInfo(subscription["customer"].get("timezone") or "UTC")
        days = list(_days(moment(start), moment(end), zone))
        mode = asked.get("view_mode", "periodic")
        data = []
        for rank in self._usage.select({"subscription": frozenset({identity})}):
            fields = _decode_fields(self._usage.raw(rank))
            if asked.get("billable_metric_id") in (None, _decode(fields["billable_metric"])["id"]):
                windows = self._windows(bytes(fields["usage"]), days, mode, by_day="granularity" in asked)
                usage = b",".join(windows)
                data.append(
                    b'{"billable_metric":%s,"usage":[%s],"view_mode":"%s"}'
                    % (bytes(fields["billable_metric"]), usage, mode.encode())
                )
        return b'{"data":[' + b",".join(data) + b"]}"

    def _windows(
        self, usage: bytes, days: Sequence[tuple[datetime, datetime]], mode: str, *, by_day: bool
    ) -> Iterator[bytes]:
        recorded = {}
        for raw in msgspec.json.decode(usage, type=list[msgspec.Raw]):
            fields = _decode_fields(raw)
            begin, end = (_decode(fields[name]) for name in ("timeframe_start", "timeframe_end"))
            recorded[instant(begin), instant(end)] = (bytes(raw), fields["quantity"])
        asked = {(_micros(begin), _micros(end)) for begin, end in days}
        if split := [key for key in recorded if key not in asked and _overlaps(key, days)]:
            raise OrbError(
                400,
                "400-constraint-violation",
                "Constraint violation",
                f"The sandbox keeps whole days of usage and cannot cut the one that starts {moment(split[0][0])}: "
                "start and end the timeframe at the customer's midnight.",
            )
        total = Decimal(0)
        for begin, end in days:
            entry, quantity = recorded.get((_micros(begin), _micros(end)), (b"", msgspec.Raw(b"0")))
            total += Decimal(_decode(quantity))
            if by_day and entry and mode == "periodic":
                yield entry
            elif by_day:
                yield _usage_window(total if mode == "cumulative" else Decimal(0), begin, end)
        if not by_day:
            yield _usage_window(total, days[0][0], days[-1][1])

    def _volume(self, asked: Mapping[str, Any]) -> bytes:
        if "timeframe_start" not in asked:
            raise _invalid("timeframe_start: is required")
        hour = HOUR // timedelta(microseconds=1)
        start = asked["timeframe_start"] // hour
        end = -(-asked.get("timeframe_end", _micros(self._now)) // hour)
        at_hour = _read_cursor(asked, lambda name: int(name) if name.isdigit() else None)
        first = start if at_hour is None else at_hour + 1
        hours = range(first, max(first, min(end, first + asked.get("limit", 20))))
        page = [
            self._volumes.get(number * hour)
            or b'{"timeframe_start":"%s","timeframe_end":"%s","count":0}'
            % (_iso(moment(number * hour)), _iso(moment((number + 1) * hour)))
            for number in hours
        ]
        return _paginated(page, str(hours[-1]) if hours and hours[-1] + 1 < end else None)

    def _search(self, body: bytes) -> bytes:
        try:
            search = msgspec.json.decode(body, type=Search)
            least = instant(search.timeframe_start) if search.timeframe_start else _micros(self._now - WEEK)
            below = instant(search.timeframe_end) if search.timeframe_end else None
        except (msgspec.MsgspecError, ValueError) as error:
            raise _invalid(str(error)) from error
        if not 1 <= len(search.event_ids) <= 500:
            raise _invalid(f"event_ids: must have from 1 to 500 items, it has {len(search.event_ids)}")
        bounds = Range(least=least, below=below) if below is not None else Range(least=least, most=_micros(self._now))
        found = []
        for identity in dict.fromkeys(search.event_ids):
            if (raw := self._events.get(identity)) is not None and (
                stamp := instant(_decode(raw)["timestamp"])
            ) in bounds:
                found.append((stamp, identity, raw))
        return b'{"data":[' + b",".join(raw for _, _, raw in sorted(found)) + b"]}"

    def _is_past(self, expiry: str | None) -> bool:
        return expiry is not None and instant(expiry) <= _micros(self._now)


def _route(request: Request) -> tuple[str, Sequence[str]]:
    path = request.path.removeprefix("/v1").removesuffix("/")
    for method, pattern, endpoint in ROUTES:
        if method == request.method and (match := pattern.fullmatch(path)):
            return endpoint, match.groups()
    raise OrbError(404, "404-url-not-found", "URL not found", f"There is no {request.method} {request.path}.")


def _parse(parameters: Sequence[Parameter], query: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Values by spelling, lists for `name[]`. Everything wrong is told at once."""
    spelled = {spelling: parameter for parameter in parameters for spelling in parameter.spellings}
    asked: dict[str, Any] = {}
    problems = []
    for name, text in query:
        if name not in spelled:
            problems.append(f"{name}: unknown query parameter")
            continue
        try:
            value = spelled[name].kind(text)
        except ValueError as error:
            problems.append(f"{name}: {error}")
        else:
            asked[name] = [*asked.get(name, []), value] if name.endswith("[]") else value
    if problems:
        raise _invalid(*problems)
    return asked


def _conditions(parameters: Sequence[Parameter], asked: Mapping[str, Any]) -> dict[str, Range | frozenset[Any]]:
    wanted: dict[str, Range | frozenset[Any]] = {}
    for parameter in parameters:
        if not parameter.read:
            continue
        name = parameter.name
        bounds = {side: asked[name + form] for form, side in BOUNDS.items() if name + form in asked}
        if bounds:
            wanted[name] = Range(**bounds)
        if name in asked or f"{name}[]" in asked:
            wanted[name] = frozenset([*asked.get(f"{name}[]", []), *([asked[name]] if name in asked else [])])
    return wanted


def _columns(parameters: Sequence[Parameter]) -> dict[str, Read]:
    return {parameter.name: parameter.read for parameter in parameters if parameter.read}


def _page(
    collection: Collection, ranks: Sequence[int], asked: Mapping[str, Any], render: Callable[[bytes], bytes] = bytes
) -> bytes:
    chosen, more = window(ranks, asked.get("limit", 20), _read_cursor(asked, collection.ranks.get), None)
    page = [render(collection.raw(rank)) for rank in chosen]
    return _paginated(page, collection.ids[chosen[-1]] if more and chosen else None)


def _read_cursor(asked: Mapping[str, Any], find: Callable[[str], int | None]) -> int | None:
    if "cursor" not in asked:
        return None
    try:
        found = find(base64.urlsafe_b64decode(asked["cursor"]).decode())
    except (binascii.Error, UnicodeError):
        found = None
    if found is None:
        raise _invalid("cursor: is not a cursor of this list")
    return found


def _paginated(page: Sequence[bytes], last: str | None) -> bytes:
    metadata = {"has_more": last is not None, "next_cursor": last and base64.urlsafe_b64encode(last.encode()).decode()}
    return b'{"data":[%s],"pagination_metadata":%s}' % (b",".join(page), msgspec.json.encode(metadata))


def _as_block(raw: bytes) -> bytes:
    """A line of credit_blocks.jsonl as the API has it: the customer is in the path, not in the object."""
    fields: Object = _decode_fields(raw)
    del fields["customer_id"]
    return msgspec.json.encode(fields)


def _days(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The customer's days from `start` to `end`; the first and the last may be cut."""
    while start < end:
        tomorrow = start.astimezone(zone).date() + DAY
        until = min(end, datetime.combine(tomorrow, time(), zone).astimezone(UTC))
        yield start, until
        start = until


def _overlaps(window_: tuple[int, int], days: Sequence[tuple[datetime, datetime]]) -> bool:
    return window_[0] < _micros(days[-1][1]) and window_[1] > _micros(days[0][0])


def _usage_window(quantity: Decimal, start: datetime, end: datetime) -> bytes:
    return b'{"quantity":%s,"timeframe_start":"%s","timeframe_end":"%s"}' % (
        f"{quantity:f}".encode(),
        _iso(start),
        _iso(end),
    )


def _iso(moment: datetime) -> bytes:
    return moment.isoformat().encode()


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
