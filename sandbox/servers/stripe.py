"""Stripe's API, read side, over a dataset: the endpoints that Tieout reads, as docs.stripe.com/api describes them.

What is served is the table RESOURCES and NESTED; everything else is an unrecognized URL, everything outside a
resource's filters an unknown parameter. Texts of errors are those that the live API was seen to answer.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sandbox.servers.collection import Collection, Object, Range, Read, at, window
from sandbox.servers.http import Reply, Request, TokenBucket

API_VERSION = "2026-05-27.dahlia"
DOCS = "Please see https://stripe.com/docs or we can help at https://support.stripe.com/."

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


@dataclass(frozen=True)
class Limits:
    """Requests a second. Stripe's own are 100 for an account in live mode, 25 for one list endpoint."""

    account: float
    endpoint: float


GENEROUS = Limits(account=10_000, endpoint=10_000)


class StripeError(Exception):
    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


# --- what a parameter's text must be -----------------------------------------------------------------------------

Kind = Callable[[str, str], Any]


def text(name: str, value: str) -> str:
    if not value:
        raise StripeError(
            400,
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
            "value.",
            code="parameter_invalid_empty",
            param=name,
        )
    if len(value) > 5000:
        raise StripeError(400, f"Invalid string: {value[:20]}...; must be at most 5000 characters", param=name)
    return value


def integer(name: str, value: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", text(name, value)):
        raise StripeError(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def boolean(name: str, value: str) -> bool:
    if text(name, value) not in ("true", "false"):
        raise StripeError(400, f"Invalid boolean: {value}", param=name)
    return value == "true"


def currency(name: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", text(name, value)):
        raise StripeError(400, f"Invalid currency: {value}", param=name)
    return value.lower()


def one_of(*allowed: str) -> Kind:
    def check(name: str, value: str) -> str:
        if text(name, value) not in allowed:
            listed = f"{', '.join(allowed[:-1])}, or {allowed[-1]}" if len(allowed) > 2 else " or ".join(allowed)
            raise StripeError(400, f"Invalid {name}: must be one of {listed}", param=name)
        return value

    return check


# --- the table ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filter:
    """A list parameter: `read` gives the value that each object is compared by; `refers` names the resource whose id
    the value must be; a `many` takes a list of at most that many values, a `ranged` also gt, gte, lt, lte."""

    name: str
    read: Read
    kind: Kind = text
    refers: str | None = None
    many: int = 0
    ranged: bool = False


@dataclass(frozen=True)
class Resource:
    """A resource at /v1/<name>, with the path parameter of its retrieve endpoint."""

    name: str
    kind: str
    parameter: str
    filters: tuple[Filter, ...] = ()
    retrieve_parameters: tuple[str, ...] = ()


def _when(name: str, *paths: str) -> Filter:
    return Filter(name, at(*(paths or (name,))), integer, ranged=True)


def _by(name: str, refers: str, *paths: str) -> Filter:
    return Filter(name, at(*(paths or (name,))), refers=refers)


CREATED = _when("created")
CUSTOMER = _by("customer", "customers")
ACCOUNT = Filter("customer_account", at("customer_account"))
CLOCK = Filter("test_clock", at("test_clock"))
COLLECTION = Filter("collection_method", at("collection_method"), one_of("charge_automatically", "send_invoice"))
ENDED = frozenset({"canceled", "incomplete_expired"})
SUBSCRIPTION_STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid",
)  # fmt: skip

RESOURCES = (
    Resource("customers", "customer", "customer", (CREATED, Filter("email", at("email")), CLOCK)),
    Resource(
        "products",
        "product",
        "id",
        (
            CREATED,
            Filter("active", at("active"), boolean),
            Filter("ids", at("id"), many=100),
            Filter("shippable", at("shippable"), boolean),
            Filter("url", at("url")),
        ),
    ),
    Resource(
        "prices",
        "price",
        "price",
        (
            CREATED,
            Filter("active", at("active"), boolean),
            Filter("currency", at("currency"), currency),
            Filter("lookup_keys", at("lookup_key"), many=10),
            _by("product", "products"),
            Filter("recurring[interval]", at("recurring.interval"), one_of("day", "month", "week", "year")),
            Filter("recurring[meter]", at("recurring.meter")),
            Filter("recurring[usage_type]", at("recurring.usage_type"), one_of("licensed", "metered")),
            Filter("type", at("type"), one_of("one_time", "recurring")),
        ),
    ),
    Resource(
        "subscriptions",
        "subscription",
        "subscription_exposed_id",
        (
            CREATED,
            Filter("automatic_tax[enabled]", at("automatic_tax.enabled"), boolean),
            COLLECTION,
            # Since 2025-03-31 a subscription's period is that of its items.
            _when("current_period_end", "current_period_end", "items.data.current_period_end"),
            _when("current_period_start", "current_period_start", "items.data.current_period_start"),
            CUSTOMER,
            ACCOUNT,
            _by("price", "prices", "items.data.price"),
            Filter("status", at("status"), one_of(*SUBSCRIPTION_STATUSES)),
            CLOCK,
        ),
    ),
    Resource(
        "invoices",
        "invoice",
        "invoice",
        (
            CREATED,
            COLLECTION,
            CUSTOMER,
            ACCOUNT,
            _when("due_date"),
            Filter("status", at("status"), one_of("draft", "open", "paid", "uncollectible", "void")),
            _by("subscription", "subscriptions", "parent.subscription_details.subscription", "subscription"),
        ),
    ),
    Resource(
        "invoice_payments",
        "invoice_payment",
        "invoice_payment",
        (
            CREATED,
            _by("invoice", "invoices"),
            Filter("payment[payment_intent]", at("payment.payment_intent")),
            Filter("payment[payment_record]", at("payment.payment_record")),
            Filter("payment[type]", at("payment.type"), one_of("payment_intent", "payment_record")),
            Filter("status", at("status"), one_of("canceled", "open", "paid")),
        ),
    ),
    Resource(
        "invoiceitems",
        "invoiceitem",
        "invoiceitem",
        (
            _when("created", "created", "date"),
            CUSTOMER,
            ACCOUNT,
            _by("invoice", "invoices"),
            Filter("pending", lambda item: item.get("invoice") is None, boolean),
        ),
    ),
    Resource("credit_notes", "credit_note", "id", (CREATED, CUSTOMER, ACCOUNT, _by("invoice", "invoices"))),
    Resource(
        "charges",
        "charge",
        "charge",
        (CREATED, CUSTOMER, _by("payment_intent", "payment_intents"), Filter("transfer_group", at("transfer_group"))),
    ),
    Resource("payment_intents", "payment_intent", "intent", (CREATED, CUSTOMER, ACCOUNT), ("client_secret",)),
    Resource(
        "refunds",
        "refund",
        "refund",
        (CREATED, _by("charge", "charges"), _by("payment_intent", "payment_intents")),
    ),
    Resource(
        "disputes",
        "dispute",
        "dispute",
        (CREATED, _by("charge", "charges"), _by("payment_intent", "payment_intents")),
    ),
    Resource(
        "balance_transactions",
        "balance_transaction",
        "id",
        (
            CREATED,
            Filter("currency", at("currency"), currency),
            # Which transactions a payout settles is not on the transaction: `list_` looks it up.
            _by("payout", "payouts", "id"),
            Filter("source", at("source")),
            Filter("type", at("type")),
        ),
    ),
    Resource(
        "payouts",
        "payout",
        "payout",
        (_when("arrival_date"), CREATED, Filter("destination", at("destination")), Filter("status", at("status"))),
    ),
    Resource(
        "events",
        "event",
        "id",
        (
            CREATED,
            Filter("delivery_success", lambda event: not event.get("pending_webhooks"), boolean),
            Filter("type", at("type")),
            Filter("types", at("type"), many=20),
        ),
    ),
)


@dataclass(frozen=True)
class Nested:
    """A list at /v1/<resource>/<id>/<name>: objects of `source` whose `parent` field is the id, or where that file has
    none of them, those that the parent embeds in its field <name>."""

    resource: str
    name: str
    source: str
    parent: str
    kind: str


NESTED = (
    Nested("invoices", "lines", "invoice_lines", "invoice", "line_item"),
    Nested("credit_notes", "lines", "credit_note_lines", "credit_note", "credit_note_line_item"),
    Nested("charges", "refunds", "refunds", "charge", "refund"),
    Nested("customers", "subscriptions", "subscriptions", "customer", "subscription"),
)

# Where an object of a kind leads to objects of other kinds, by id or embedded: the paths that `expand` may take.
LINKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "customer": {"subscriptions.data": ("subscription",)},
    "product": {"default_price": ("price",)},
    "price": {"product": ("product",)},
    "subscription": {
        "customer": ("customer",),
        "latest_invoice": ("invoice",),
        "items.data": ("subscription_item",),
        "billing_schedules.applies_to.price": ("price",),
        "pending_update.subscription_items": ("subscription_item",),
    },
    "subscription_item": {"price": ("price",)},
    "invoice": {
        "customer": ("customer",),
        "from_invoice.invoice": ("invoice",),
        "latest_revision": ("invoice",),
        "lines.data": ("line_item",),
        "parent.subscription_details.subscription": ("subscription",),
        "payments.data": ("invoice_payment",),
    },
    "line_item": {"pricing.price_details.price": ("price",), "subscription": ("subscription",)},
    "invoice_payment": {
        "invoice": ("invoice",),
        "payment.charge": ("charge",),
        "payment.payment_intent": ("payment_intent",),
    },
    "invoiceitem": {"customer": ("customer",), "invoice": ("invoice",), "pricing.price_details.price": ("price",)},
    "credit_note": {
        "customer": ("customer",),
        "invoice": ("invoice",),
        "lines.data": ("credit_note_line_item",),
        "refunds.refund": ("refund",),
    },
    "credit_note_line_item": {},
    "charge": {
        "balance_transaction": ("balance_transaction",),
        "customer": ("customer",),
        "failure_balance_transaction": ("balance_transaction",),
        "payment_intent": ("payment_intent",),
        "refunds.data": ("refund",),
    },
    "payment_intent": {"customer": ("customer",), "latest_charge": ("charge",)},
    "refund": {
        "balance_transaction": ("balance_transaction",),
        "charge": ("charge",),
        "failure_balance_transaction": ("balance_transaction",),
        "payment_intent": ("payment_intent",),
    },
    "dispute": {
        "balance_transactions": ("balance_transaction",),
        "charge": ("charge",),
        "payment_intent": ("payment_intent",),
    },
    "balance_transaction": {"source": ("charge", "dispute", "payout", "refund")},
    "payout": {
        "balance_transaction": ("balance_transaction",),
        "failure_balance_transaction": ("balance_transaction",),
        "original_payout": ("payout",),
        "reversed_by": ("payout",),
    },
    "event": {},
}

# Lists that an object carries only when asked to: kind, field -> where they are, and the URL that goes on with them.
INCLUDED = {
    ("charge", "refunds"): ("refunds", "charge", "/v1/charges/{id}/refunds"),
    ("customer", "subscriptions"): ("subscriptions", "customer", "/v1/customers/{id}/subscriptions"),
    ("invoice", "payments"): ("invoice_payments", "invoice", "/v1/invoice_payments"),
}

PAGE = ("ending_before", "expand[]", "limit", "starting_after")
BOUNDS = {"gt": "above", "gte": "least", "lt": "below", "lte": "most"}


class Stripe:
    """Answers requests from the files of `<dataset>/stripe`. Raises DatasetError at once for a file it cannot serve."""

    def __init__(self, dataset: Path, api_key: str, limits: Limits = GENEROUS) -> None:
        self._api_key = api_key
        self._account = TokenBucket(limits.account)
        self._endpoints = {resource.name: TokenBucket(limits.endpoint) for resource in RESOURCES}
        self._resources = {resource.name: resource for resource in RESOURCES}
        self._nested = {(nested.resource, nested.name): nested for nested in NESTED}
        folder = dataset / "stripe"
        self._collections = {
            resource.name: Collection.load(
                folder / f"{resource.name}.jsonl",
                columns={filter_.name: filter_.read for filter_ in resource.filters},
                order="created",
            )
            for resource in RESOURCES
        }
        for nested in NESTED:
            if nested.source not in self._collections:
                self._collections[nested.source] = Collection.load(
                    folder / f"{nested.source}.jsonl", columns={nested.parent: at(nested.parent)}
                )
        self._by_kind = {resource.kind: self._collections[resource.name] for resource in RESOURCES}
        self._payouts = Collection.load(
            folder / "payout_transactions.jsonl",
            key=lambda line: f"{line['payout']}/{line['balance_transaction']}",
            columns={"payout": at("payout"), "balance_transaction": at("balance_transaction")},
        )

    def __call__(self, request: Request) -> Reply:
        headers = {
            "request-id": f"req_{secrets.token_hex(7)}",
            "stripe-version": request.headers.get("stripe-version", API_VERSION),
            "cache-control": "no-cache, no-store",
        }
        try:
            self._authenticate(request)
            if not re.fullmatch(r"\d{4}-\d\d-\d\d(\.[a-z_]+)?(; ?\w+=v\d+)*", headers["stripe-version"]):
                raise StripeError(400, f"Invalid Stripe API version: {headers['stripe-version']}")
            if not self._account.take():
                return _limited("global-rate", headers)
            resource, identity, nested = self._route(request)
            if identity is None and not self._endpoints[resource.name].take():
                return _limited("endpoint-rate", headers)
            query = _parse_query(request.query)
            if identity is None:
                body = self._list(resource, query)
            elif nested is None:
                body = self._retrieve(resource, identity, query)
            else:
                body = self._list_nested(resource, identity, nested, query)
            return Reply(200, body, headers)
        except StripeError as error:
            if error.status == 401:
                headers["www-authenticate"] = 'Bearer realm="Stripe"'
            return _failed(error, headers)

    def _authenticate(self, request: Request) -> None:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                credential = base64.b64decode(credential, validate=True).decode().partition(":")[0]
            except (binascii.Error, UnicodeDecodeError):
                credential = ""
        if not credential or scheme.lower() not in ("basic", "bearer"):
            raise StripeError(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, using "
                "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
                "https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.",
            )
        if not secrets.compare_digest(credential.encode(), self._api_key.encode()):
            if len(credential) > 12:
                credential = credential[:8] + "*" * (len(credential) - 12) + credential[-4:]
            raise StripeError(401, f"Invalid API Key provided: {credential}")

    def _route(self, request: Request) -> tuple[Resource, str | None, Nested | None]:
        match request.path.split("/")[1:]:
            case ["v1", name] if request.method == "GET" and name in self._resources:
                return self._resources[name], None, None
            case ["v1", name, identity] if request.method == "GET" and name in self._resources and identity:
                return self._resources[name], identity, None
            case ["v1", name, identity, field] if (
                request.method == "GET" and (name, field) in self._nested and identity
            ):
                return self._resources[name], identity, self._nested[name, field]
        hint = (
            " If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, "
            "make sure you passed a valid (non-empty) identifier in your code."
            if request.path.endswith("/")
            else ""
        )
        raise StripeError(404, f"Unrecognized request URL ({request.method}: {request.path}).{hint} {DOCS}")

    def _retrieve(self, resource: Resource, identity: str, query: Mapping[str, list[str]]) -> bytes:
        _refuse_unknown(query, ("expand[]", *resource.retrieve_parameters))
        raw = self._need(resource, identity, resource.parameter, 404)
        return self._expanded(raw, resource.kind, _expansions(query, resource.kind, listed=False))

    def _list(self, resource: Resource, query: Mapping[str, list[str]]) -> bytes:
        ranged = [f"{f.name}[{bound}]" for f in resource.filters if f.ranged for bound in BOUNDS]
        _refuse_unknown(query, (*PAGE, *(f"{f.name}[]" if f.many else f.name for f in resource.filters), *ranged))
        wanted = {}
        for filter_ in resource.filters:
            if (condition := self._condition(filter_, query)) is not None:
                wanted[filter_.name] = condition
        collection = self._collections[resource.name]
        self._adjust(resource, query, wanted)
        page, more = self._page(collection, collection.select(wanted), resource.kind, query)
        return self._body(page, more, resource.kind, f"/v1/{resource.name}", query)

    def _list_nested(self, parent: Resource, identity: str, nested: Nested, query: Mapping[str, list[str]]) -> bytes:
        _refuse_unknown(query, PAGE)
        raw = self._need(parent, identity, parent.parameter, 404)
        collection = self._collections[nested.source]
        ranks = self._children(nested.source, nested.parent, identity)
        if not ranks and (embedded := _decode_fields(raw).get(nested.name)) is not None:
            items = list(_items(_decode_fields(embedded)["data"]))
            ends = itertools.accumulate(map(len, items), initial=0)
            collection = Collection.of(b"".join(items), itertools.pairwise(ends))
            ranks = range(collection.listed)
        page, more = self._page(collection, ranks, nested.kind, query)
        return self._body(page, more, nested.kind, f"/v1/{parent.name}/{identity}/{nested.name}", query)

    def _condition(self, filter_: Filter, query: Mapping[str, list[str]]) -> Range | frozenset[Any] | None:
        name = filter_.name
        if filter_.many:
            values = query.get(f"{name}[]", [])
            if len(values) > filter_.many:
                raise StripeError(400, f"Invalid array: {name} can have at most {filter_.many} elements", param=name)
            return frozenset(filter_.kind(f"{name}[{n}]", value) for n, value in enumerate(values)) if values else None
        if filter_.ranged:
            bounds = {
                side: filter_.kind(f"{name}[{bound}]", query[f"{name}[{bound}]"][-1])
                for bound, side in BOUNDS.items()
                if f"{name}[{bound}]" in query
            }
            if name in query:
                exact = filter_.kind(name, query[name][-1])
                return Range(least=exact, most=exact)
            return Range(**bounds) if bounds else None
        if name not in query:
            return None
        value = filter_.kind(name, query[name][-1])
        if filter_.refers:
            self._need(self._resources[filter_.refers], value, name, 400)
        return frozenset({value})

    def _adjust(
        self, resource: Resource, query: Mapping[str, list[str]], wanted: dict[str, Range | frozenset[Any]]
    ) -> None:
        """The parameters that mean more than equality."""
        if resource.name == "subscriptions":
            wanted["status"] = self._subscription_statuses(query["status"][-1] if "status" in query else None)
        elif resource.name == "balance_transactions" and "payout" in query:
            payout = query["payout"][-1]
            if not msgspec.json.decode(self._need(self._resources["payouts"], payout, "payout", 400)).get("automatic"):
                raise StripeError(
                    400,
                    "Balance transaction history can only be filtered on automatic transfers, not manual.",
                    param="payout",
                )
            settled = self._payouts.columns["balance_transaction"]
            wanted["payout"] = frozenset(settled[n] for n in self._payouts.select({"payout": frozenset({payout})}))
        elif resource.name == "events":
            if "type" in query and "types[]" in query:
                raise StripeError(400, "You may pass either `type` or `types`, but not both.", param="types")
            pattern = query.get("type", [""])[-1]
            if pattern.endswith("*"):
                types = self._collections["events"].columns["type"]
                wanted["type"] = frozenset(type_ for type_ in types if type_.startswith(pattern.rstrip("*")))
        elif any(name.startswith("payment[") for name in query) and "payment[type]" not in query:
            message = "Missing required param: payment[type]."
            raise StripeError(400, message, code="parameter_missing", param="payment[type]")

    def _page(
        self, collection: Collection, ranks: Sequence[int], kind: str, query: Mapping[str, list[str]]
    ) -> tuple[list[bytes], bool]:
        limit = integer("limit", query.get("limit", ["10"])[-1])
        if not 1 <= limit <= 100:
            bound = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
            raise StripeError(
                400,
                f"This value must be {bound} (it currently is '{limit}').",
                code="parameter_invalid_integer",
                param="limit",
            )
        if "starting_after" in query and "ending_before" in query:
            raise StripeError(
                400, "Received both ending_before and starting_after parameters. Please pass in only one.",
                code="parameters_exclusive",
            )  # fmt: skip
        cursors: dict[str, int | None] = {"starting_after": None, "ending_before": None}
        for name in cursors.keys() & query.keys():
            cursors[name] = collection.ranks.get(text(name, query[name][-1]))
            if cursors[name] is None:
                raise _missing(kind, query[name][-1], name, 400)
        chosen, more = window(ranks, limit, cursors["starting_after"], cursors["ending_before"])
        return [collection.raw(rank) for rank in chosen], more

    def _body(self, page: list[bytes], more: bool, kind: str, url: str, query: Mapping[str, list[str]]) -> bytes:
        if paths := _expansions(query, kind, listed=True):
            page = [self._expanded(raw, kind, paths) for raw in page]
        return _list_object(page, more, url)

    def _need(self, resource: Resource, identity: str, param: str, status: int) -> bytes:
        raw = self._collections[resource.name].get(identity)
        if raw is None:
            raise _missing(resource.kind, identity, param, status)
        return raw

    def _expanded(self, raw: bytes, kind: str, paths: Sequence[Sequence[str]]) -> bytes:
        for path in paths:
            raw = self._expand(raw, kind, path)
        return raw

    def _expand(self, raw: bytes, kind: str, path: Sequence[str]) -> bytes:
        """The object with the ids along the path replaced by their objects; every other byte of a value stays."""
        length = next((n for n in range(len(path), 0, -1) if ".".join(path[:n]) in LINKS[kind]), 1)
        targets = LINKS[kind].get(".".join(path[:length]), ())
        return self._replace(raw, kind, path[:length], lambda value: self._follow(value, targets, path[length:]))

    def _replace(self, raw: bytes, kind: str, keys: Sequence[str], change: Callable[[bytes], bytes]) -> bytes:
        if raw[:1] == b"[":
            return b"[" + b",".join(self._replace(item, kind, keys, change) for item in _items(raw)) + b"]"
        if not keys:
            return change(raw)
        if raw[:1] != b"{":
            return raw
        fields = _decode_fields(raw)
        if keys[0] not in fields and (kind, keys[0]) in INCLUDED:
            fields[keys[0]] = msgspec.Raw(self._included(kind, keys[0], msgspec.json.decode(fields["id"])))
        if keys[0] in fields:
            fields[keys[0]] = msgspec.Raw(self._replace(bytes(fields[keys[0]]), "", keys[1:], change))
        return msgspec.json.encode(fields)

    def _follow(self, value: bytes, targets: Sequence[str], rest: Sequence[str]) -> bytes:
        if value[:1] == b'"':
            identity = msgspec.json.decode(value, type=str)
            value = next((raw for kind in targets if (raw := self._by_kind[kind].get(identity))), value)
        if value[:1] != b"{" or not rest:
            return value
        kind = msgspec.json.decode(value)["object"]
        return self._expand(value, kind, rest) if kind in LINKS else value

    def _children(self, source: str, parent: str, identity: str) -> Sequence[int]:
        wanted: dict[str, Range | frozenset[Any]] = {parent: frozenset({identity})}
        if source == "subscriptions":
            wanted["status"] = self._subscription_statuses(None)
        return self._collections[source].select(wanted)

    def _subscription_statuses(self, asked: str | None) -> frozenset[str]:
        known = frozenset(self._collections["subscriptions"].columns["status"])
        match asked:
            case None:
                return known - ENDED
            case "all":
                return known
            case "ended":
                return ENDED
        return frozenset({asked})

    def _included(self, kind: str, field: str, identity: str) -> bytes:
        source, parent, url = INCLUDED[kind, field]
        collection, ranks = self._collections[source], self._children(source, parent, identity)
        return _list_object([collection.raw(rank) for rank in ranks[:10]], len(ranks) > 10, url.format(id=identity))


def _items(raw: bytes | msgspec.Raw) -> Iterator[bytes]:
    return map(bytes, _decode_items(raw))


def _list_object(page: Sequence[bytes], more: bool, url: str) -> bytes:
    tail = b'],"has_more":%s,"url":%s}' % (b"true" if more else b"false", msgspec.json.encode(url))
    return b'{"object":"list","data":[' + b",".join(page) + tail


def _parse_query(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Values by name. The two ways to write an element of a list, `types[]` and `types[0]`, are the same name."""
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(re.sub(r"\[\d*\]$", "[]", name), []).append(value)
    return query


def _refuse_unknown(query: Mapping[str, list[str]], known: Sequence[str]) -> None:
    unknown = [name for name in query if name not in known]
    if unknown:
        for name in unknown:
            if f"{name}[]" in known:
                raise StripeError(400, "Invalid array", param=name)
        plural = "s" if len(unknown) > 1 else ""
        raise StripeError(
            400,
            f"Received unknown parameter{plural}: {', '.join(unknown)}",
            code="parameter_unknown",
            param=unknown[0],
        )


def _expansions(query: Mapping[str, list[str]], kind: str, *, listed: bool) -> list[list[str]]:
    paths = []
    for asked in query.get("expand[]", []):
        path = asked.split(".")
        if len(path) > 4:
            raise StripeError(400, "You cannot expand more than 4 levels of a property.", param="expand")
        inner = path[1:] if listed and path[0] == "data" else path
        if not _expandable((kind,), inner):
            raise StripeError(400, f"This property cannot be expanded ({asked}).", param="expand")
        if listed and path[0] != "data":
            raise StripeError(
                400,
                f"This property cannot be expanded ({asked}). You may want to try expanding 'data.{asked}' instead.",
                param="expand",
            )
        paths.append(inner)
    return [path for path in paths if path]


def _expandable(kinds: Sequence[str], path: Sequence[str]) -> bool:
    if not path:
        return True
    for kind in kinds:
        links = LINKS.get(kind, {})
        for length in range(len(path), 0, -1):
            step = ".".join(path[:length])
            if (step in links and _expandable(links[step], path[length:])) or f"{'.'.join(path)}.data" in links:
                return True
    return False


def _missing(kind: str, identity: str, param: str, status: int) -> StripeError:
    return StripeError(status, f"No such {kind}: '{identity}'", code="resource_missing", param=param)


def _limited(reason: str, headers: Mapping[str, str]) -> Reply:
    error = StripeError(
        429,
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
    )
    return _failed(error, {**headers, "stripe-rate-limited-reason": reason})


def _failed(error: StripeError, headers: Mapping[str, str]) -> Reply:
    body: Object = {}
    if error.code:
        body |= {"code": error.code, "doc_url": f"https://stripe.com/docs/error-codes/{error.code.replace('_', '-')}"}
    body["message"] = error.message
    if error.param:
        body["param"] = error.param
    if error.status != 401:
        stamp = f"{headers['request-id']}?t={int(time.time())}"
        body["request_log_url"] = f"https://dashboard.stripe.com/logs/{stamp}"
    return Reply(error.status, msgspec.json.encode({"error": body | {"type": "invalid_request_error"}}), headers)
