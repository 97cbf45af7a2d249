"""The sandbox's Stripe against Stripe's official client and its API document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from sandbox.serve import Company
from sandbox.servers.collection import DatasetError
from sandbox.servers.http import TokenBucket
from sandbox.servers.stripe import GENEROUS, INCLUDED, LINKS, NESTED, RESOURCES, Limits, Stripe
from tests.sandbox.conftest import EXACT, client, read_lines, write_lines

KEY = "sk_test_0123456789"
DOCUMENT = Path(__file__).parents[2] / "../shared/specs/stripe-openapi.json"
NAMES = [resource.name for resource in RESOURCES]


def client_of(dataset: Path, limits: Limits = GENEROUS) -> httpx.Client:
    return client(Stripe(dataset, KEY, limits), KEY)


@pytest.fixture(scope="module")
def api(dataset: Path) -> httpx.Client:
    return client_of(dataset)


@pytest.fixture(scope="module")
def official(company: Company) -> stripe.StripeClient:
    return stripe.StripeClient(
        company.stripe_api_key, base_addresses={"api": company.stripe_api_base}, max_network_retries=0
    )


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"Stripe's API document is not at {DOCUMENT}: the tables are not compared with it")
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return loaded


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [value["id"] for value in response.json()["data"]]


def newest_first(values: list[dict[str, Any]]) -> list[str]:
    live = [value for value in values if not value.get("deleted")]
    created = {value["id"]: (value.get("created", value.get("date")), n) for n, value in enumerate(live)}
    return sorted(created, key=lambda identity: created[identity], reverse=True)


@pytest.mark.parametrize("name", NAMES)
def test_official_client_pages_through_every_object_once_newest_first(
    official: stripe.StripeClient, dataset: Path, name: str
) -> None:
    service = getattr(official.v1, {"invoiceitems": "invoice_items"}.get(name, name))
    params = {"limit": 9} | ({"status": "all"} if name == "subscriptions" else {})
    expected = newest_first(read_lines(dataset / f"stripe/{name}.jsonl"))
    assert [value.id for value in service.list(params).auto_paging_iter()] == expected
    backwards = [value.id for value in service.list({**params, "ending_before": expected[-1]}).auto_paging_iter()]
    assert backwards == expected[-2::-1]
    assert service.retrieve(expected[0]).id == expected[0]


def test_official_client_reads_all_lines_of_an_invoice_and_of_a_credit_note(official: stripe.StripeClient) -> None:
    lines = official.v1.invoices.line_items.list("in_000", {"limit": 7}).auto_paging_iter()
    assert [line.id for line in lines] == [f"il_{n:03d}" for n in range(23)]
    embedded = official.v1.invoices.line_items.list("in_005").auto_paging_iter()
    assert [line.id for line in embedded] == ["il_5_only"]
    credited = official.v1.credit_notes.line_items.list("cn_003", {"limit": 2}).auto_paging_iter()
    assert [line.id for line in credited] == ["cnli_3_0", "cnli_3_1", "cnli_3_2"]


@pytest.mark.parametrize("name", NAMES)
def test_served_objects_are_the_datasets_bytes(api: httpx.Client, dataset: Path, name: str) -> None:
    lines = {json.loads(line)["id"]: line for line in (dataset / f"stripe/{name}.jsonl").read_text().splitlines()}
    listed = api.get(f"/v1/{name}?limit=100" + ("&status=all" * (name == "subscriptions"))).text
    live = newest_first([json.loads(line) for line in lines.values()])[:100]
    assert f'"data":[{",".join(lines[identity] for identity in live)}],"has_more"' in listed
    assert all(api.get(f"/v1/{name}/{identity}").text == lines[identity] for identity in live[:3])


def test_list_object_says_where_it_is_and_whether_more_follows(api: httpx.Client) -> None:
    page = api.get("/v1/charges?limit=100").json()
    assert (page["object"], page["url"], page["has_more"], len(page["data"])) == ("list", "/v1/charges", True, 100)
    rest = api.get("/v1/charges", params={"limit": 100, "starting_after": page["data"][-1]["id"]}).json()
    assert (rest["has_more"], len(rest["data"])) == (False, 23)
    assert len(api.get("/v1/charges").json()["data"]) == 10


FILTERS: list[tuple[str, str, Callable[[dict[str, Any]], bool]]] = [
    ("charges", "created=1790000005", lambda v: v["created"] == 1790000005),
    ("charges", "created[gte]=1790000005&created[lt]=1790000010", lambda v: 1790000005 <= v["created"] < 1790000010),
    ("charges", "created[gt]=1790000005&created[lte]=1790000010", lambda v: 1790000005 < v["created"] <= 1790000010),
    ("charges", "created[gt]=1790009999", lambda v: False),
    ("charges", "customer=cus_002&created[gte]=1790000040", lambda v: v["customer"] == "cus_002" and v["created"] >= 1790000040),
    ("charges", "payment_intent=pi_007", lambda v: v["payment_intent"] == "pi_007"),
    ("charges", "transfer_group=none", lambda v: False),
    ("customers", "email=3@example.com", lambda v: v.get("email") == "3@example.com"),
    ("customers", "test_clock=clock_1", lambda v: False),
    ("products", "active=false", lambda v: not v["active"]),
    ("products", "ids[]=prod_001&ids[1]=prod_003&ids[]=prod_missing", lambda v: v["id"] in ("prod_001", "prod_003")),
    ("products", "shippable=true&url=https://example.com", lambda v: False),
    ("prices", "currency=EUR", lambda v: v["currency"] == "eur"),
    ("prices", "lookup_keys[]=key_3&lookup_keys[]=key_4", lambda v: v["lookup_key"] in ("key_3", "key_4")),
    ("prices", "product=prod_004&active=true", lambda v: v["product"] == "prod_004"),
    ("prices", "recurring[interval]=month&recurring[usage_type]=licensed", lambda v: v["recurring"] is not None),
    ("prices", "recurring[meter]=mtr_1", lambda v: False),
    ("prices", "type=one_time", lambda v: v["type"] == "one_time"),
    ("subscriptions", "", lambda v: v["status"] not in ("canceled", "incomplete_expired")),
    ("subscriptions", "status=all", lambda v: True),
    ("subscriptions", "status=ended", lambda v: v["status"] in ("canceled", "incomplete_expired")),
    ("subscriptions", "status=canceled", lambda v: v["status"] == "canceled"),
    ("subscriptions", "status=all&price=price_006", lambda v: v["id"] == "sub_006"),
    ("subscriptions", "status=all&current_period_end[gt]=1790000008", lambda v: v["id"] > "sub_008"),
    ("subscriptions", "current_period_start=1&automatic_tax[enabled]=true", lambda v: False),
    ("subscriptions", "collection_method=send_invoice&customer_account=acct_1&test_clock=c", lambda v: False),
    ("invoices", "status=open&customer=cus_001", lambda v: v["status"] == "open" and v["customer"] == "cus_001"),
    ("invoices", "subscription=sub_000", lambda v: v["parent"] is not None),
    ("invoices", "due_date[gte]=1790100005&due_date[lte]=1790100009", lambda v: 1790100005 <= (v["due_date"] or 0) <= 1790100009),
    ("invoice_payments", "invoice=in_003", lambda v: v["invoice"] == "in_003"),
    ("invoice_payments", "payment[type]=payment_intent&payment[payment_intent]=pi_004", lambda v: v["id"] == "inpay_004"),
    ("invoice_payments", "payment[type]=payment_record&payment[payment_record]=pr_1", lambda v: False),
    ("invoice_payments", "status=paid", lambda v: v["status"] == "paid"),
    ("invoiceitems", "pending=true", lambda v: v["invoice"] is None),
    ("invoiceitems", "invoice=in_001&created[gte]=1790000002", lambda v: v["invoice"] == "in_001" and v["date"] >= 1790000002),
    ("credit_notes", "invoice=in_004", lambda v: v["invoice"] == "in_004"),
    ("payment_intents", "customer=cus_003", lambda v: v["customer"] == "cus_003"),
    ("refunds", "charge=ch_001", lambda v: v["charge"] == "ch_001"),
    ("refunds", "payment_intent=pi_001", lambda v: True),
    ("disputes", "charge=ch_002&payment_intent=pi_002", lambda v: v["charge"] == "ch_002"),
    ("balance_transactions", "currency=jpy&type=payout", lambda v: v["currency"] == "jpy" and v["type"] == "payout"),
    ("balance_transactions", "source=po_003", lambda v: v["source"] == "po_003"),
    ("balance_transactions", "payout=po_002", lambda v: v["id"] < "txn_100" and int(v["id"][4:]) % 5 == 2),
    ("balance_transactions", "payout=po_007", lambda v: False),
    ("balance_transactions", "payout=po_002&created[lt]=1790000010", lambda v: v["id"] < "txn_020" and int(v["id"][4:]) % 5 == 2),
    ("payouts", "arrival_date[gte]=1790200004&status=paid&destination=ba_1", lambda v: v["arrival_date"] >= 1790200004),
    ("events", "type=invoice.paid", lambda v: v["type"] == "invoice.paid"),
    ("events", "type=charge.*", lambda v: v["type"].startswith("charge.")),
    ("events", "types[]=invoice.paid&types[]=charge.refunded", lambda v: v["type"] in ("invoice.paid", "charge.refunded")),
    ("events", "delivery_success=true", lambda v: v["pending_webhooks"] == 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "query", "keeps"), FILTERS, ids=[f"{name}?{query}" for name, query, _ in FILTERS])
def test_list_parameter_keeps_exactly_the_objects_it_describes(
    api: httpx.Client, dataset: Path, name: str, query: str, keeps: Callable[[dict[str, Any]], bool]
) -> None:
    values = [value for value in read_lines(dataset / f"stripe/{name}.jsonl") if not value.get("deleted")]
    expected = newest_first([value for value in values if keeps(value)])
    assert ids(api.get(f"/v1/{name}?limit=100&{query}")) == expected
    paged: list[str] = []
    while True:
        after = f"&starting_after={paged[-1]}" if paged else ""
        page = api.get(f"/v1/{name}?limit=3&{query}{after}").json()
        paged += [value["id"] for value in page["data"]]
        if not page["has_more"]:
            break
    assert paged == expected


def test_every_list_parameter_of_the_table_is_tried() -> None:
    tried = {(name, part.split("=")[0].replace("[]", "")) for name, query, _ in FILTERS for part in query.split("&")}
    shared = {"created", "customer", "customer_account", "active", "invoice", "collection_method"}
    untried = {
        (resource.name, filter_.name)
        for resource in RESOURCES
        for filter_ in resource.filters
        if filter_.name not in shared
        and not any(name == resource.name and part.startswith(filter_.name) for name, part in tried)
    }
    assert untried == set()


MISSING, INTEGER, UNKNOWN = "resource_missing", "parameter_invalid_integer", "parameter_unknown"
ERRORS: list[tuple[str, int, str | None, str | None, str]] = [
    ("/v1/foo", 404, None, None, "Unrecognized request URL (GET: /v1/foo). Please see https://stripe.com/docs"),
    ("/v1/charges/", 404, None, None, "If you are trying to list objects, remove the trailing slash."),
    ("/v1/coupons", 404, None, None, "Unrecognized request URL (GET: /v1/coupons)."),
    ("/v1/charges/ch_none", 404, MISSING, "charge", "No such charge: 'ch_none'"),
    ("/v1/invoices/in_none/lines", 404, MISSING, "invoice", "No such invoice: 'in_none'"),
    ("/v1/charges?starting_after=ch_none", 400, MISSING, "starting_after", "No such charge: 'ch_none'"),
    ("/v1/charges?ending_before=ch_none", 400, MISSING, "ending_before", "No such charge: 'ch_none'"),
    ("/v1/charges?starting_after=ch_001&ending_before=ch_002", 400, "parameters_exclusive", None, "Received both"),
    ("/v1/charges?customer=cus_none", 400, MISSING, "customer", "No such customer: 'cus_none'"),
    ("/v1/charges?customer=", 400, "parameter_invalid_empty", "customer", "You passed an empty string for 'customer'."),
    ("/v1/charges?foo=1", 400, UNKNOWN, "foo", "Received unknown parameter: foo"),
    ("/v1/charges?foo=1&bar=2", 400, UNKNOWN, "foo", "Received unknown parameters: foo, bar"),
    ("/v1/charges?created[since]=1", 400, UNKNOWN, "created[since]", "Received unknown parameter: created[since]"),
    ("/v1/charges/ch_001?limit=1", 400, UNKNOWN, "limit", "Received unknown parameter: limit"),
    ("/v1/invoices/in_000/lines?created=1", 400, UNKNOWN, "created", "Received unknown parameter: created"),
    ("/v1/charges?limit=ten", 400, INTEGER, "limit", "Invalid integer: ten"),
    ("/v1/charges?limit=0", 400, INTEGER, "limit", "must be greater than or equal to 1 (it currently is '0')."),
    ("/v1/charges?limit=101", 400, INTEGER, "limit", "must be less than or equal to 100 (it currently is '101')."),
    ("/v1/charges?created[gte]=2026-01-01", 400, INTEGER, "created[gte]", "Invalid integer: 2026-01-01"),
    ("/v1/products?active=yes", 400, None, "active", "Invalid boolean: yes"),
    ("/v1/products?ids=prod_001", 400, None, "ids", "Invalid array"),
    ("/v1/invoices?status=late", 400, None, "status", "must be one of draft, open, paid, uncollectible, or void"),
    ("/v1/balance_transactions?currency=dollars", 400, None, "currency", "Invalid currency: dollars"),
    (
        "/v1/balance_transactions?payout=po_010",
        400,
        None,
        "payout",
        "only be filtered on automatic transfers, not manual.",
    ),
    ("/v1/balance_transactions?payout=po_none", 400, MISSING, "payout", "No such payout: 'po_none'"),
    (
        "/v1/invoice_payments?payment[payment_intent]=pi_001",
        400,
        "parameter_missing",
        "payment[type]",
        "Missing required",
    ),
    ("/v1/events?" + "&".join(f"types[]=t{n}" for n in range(21)), 400, None, "types", "at most 20"),
    ("/v1/events?type=a&types[]=b", 400, None, "types", "either `type` or `types`"),
    ("/v1/charges?expand[]=data.metadata", 400, None, "expand", "This property cannot be expanded (data.metadata)."),
    ("/v1/charges?expand[]=customer", 400, None, "expand", "You may want to try expanding 'data.customer' instead."),
    (
        "/v1/invoices?expand[]=data.payments.data.payment.charge",
        400,
        None,
        "expand",
        "more than 4 levels of a property",
    ),
]


@pytest.mark.parametrize(("url", "status", "code", "param", "message"), ERRORS, ids=[url for url, *_ in ERRORS])
def test_request_that_stripe_refuses_gets_stripes_error(
    api: httpx.Client, url: str, status: int, code: str | None, param: str | None, message: str
) -> None:
    response = api.get(url)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, "invalid_request_error")
    assert (error.get("code"), error.get("param")) == (code, param)
    assert message in error["message"]
    assert error.get("doc_url") == (code and f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}")
    assert response.headers["request-id"] in error["request_log_url"]


def test_only_reading_is_served(api: httpx.Client) -> None:
    response = api.post("/v1/charges", data={"amount": "1"})
    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith("Unrecognized request URL (POST: /v1/charges).")


def test_version_is_echoed_and_a_version_that_is_none_refused(api: httpx.Client) -> None:
    assert (
        api.get("/v1/charges", headers={"stripe-version": "2026-10-28.endive"}).headers["stripe-version"]
        == "2026-10-28.endive"
    )
    refused = api.get("/v1/charges", headers={"stripe-version": "latest"})
    assert refused.json()["error"]["message"] == "Invalid Stripe API version: latest"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "You did not provide an API key."),
        ("Bearer ", "You did not provide an API key."),
        ("Digest abc", "You did not provide an API key."),
        ("Bearer sk_live_51Habcdefghijk9876", "Invalid API Key provided: sk_live_**************9876"),
        ("Basic " + base64.b64encode(b"sk_wrong:").decode(), "Invalid API Key provided: sk_wrong"),
    ],
)
def test_wrong_credentials_are_refused_and_never_shown_whole(dataset: Path, header: str | None, message: str) -> None:
    anonymous = client(Stripe(dataset, KEY), None)
    response = anonymous.get("/v1/charges", headers={"authorization": header} if header else {})
    assert response.status_code == 401
    assert response.json()["error"]["message"].startswith(message)
    assert set(response.json()["error"]) == {"message", "type"}


def test_key_as_basic_user_name_opens(dataset: Path) -> None:
    assert client(Stripe(dataset, KEY), None).get("/v1/charges", auth=(KEY, "")).status_code == 200


@pytest.mark.parametrize(
    ("limits", "urls", "reason"),
    [
        (Limits(account=3, endpoint=100), ["/v1/charges/ch_001"] * 3 + ["/v1/refunds"], "global-rate"),
        (Limits(account=100, endpoint=2), ["/v1/charges/ch_001", "/v1/refunds", *["/v1/charges"] * 3], "endpoint-rate"),
    ],
)
def test_request_over_the_limit_is_429_with_the_reason(
    dataset: Path, limits: Limits, urls: list[str], reason: str
) -> None:
    limited = client_of(dataset, limits)
    answers = [limited.get(url) for url in urls]
    assert [answer.status_code for answer in answers] == [200] * (len(urls) - 1) + [429]
    assert answers[-1].json()["error"]["code"] == "rate_limit"
    assert answers[-1].headers["stripe-rate-limited-reason"] == reason


def test_bucket_fills_again_with_time_and_never_above_a_second() -> None:
    now = [0.0]
    bucket = TokenBucket(4, clock=lambda: now[0])
    assert [bucket.take() for _ in range(5)] == [True] * 4 + [False]
    now[0] += 0.25
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [bucket.take() for _ in range(5)] == [True] * 4 + [False]


def test_expand_puts_objects_in_the_place_of_ids(api: httpx.Client, dataset: Path) -> None:
    charge = api.get("/v1/charges/ch_003?expand[]=customer&expand[]=balance_transaction.source").json()
    assert charge["customer"]["id"] == "cus_003"
    assert charge["balance_transaction"]["source"]["object"] == "charge"
    assert charge["payment_intent"] == "pi_003"
    page = api.get("/v1/charges?limit=2&created[lt]=1790000002&expand[]=data.payment_intent.customer").json()
    assert [value["payment_intent"]["customer"]["id"] for value in page["data"]] == ["cus_003", "cus_002"]
    unpaid = api.get("/v1/charges/ch_100?expand[]=payment_intent").json()
    assert unpaid["payment_intent"] is None
    subscription = api.get("/v1/subscriptions/sub_001?expand[]=items.data.price.product").json()
    assert subscription["items"]["data"][0]["price"]["product"]["id"] == "prod_001"
    invoice = api.get("/v1/invoices/in_001?expand[]=parent.subscription_details.subscription&expand[]=lines").json()
    assert invoice["parent"]["subscription_details"]["subscription"]["object"] == "subscription"


def test_expand_includes_the_lists_that_an_object_has_only_then(api: httpx.Client) -> None:
    charge = api.get("/v1/charges/ch_001?expand[]=refunds").json()
    assert [refund["id"] for refund in charge["refunds"]["data"]] == [f"re_{n:03d}" for n in range(13, 0, -2)]
    assert (charge["refunds"]["has_more"], charge["refunds"]["url"]) == (False, "/v1/charges/ch_001/refunds")
    assert ids(api.get(charge["refunds"]["url"])) == [refund["id"] for refund in charge["refunds"]["data"]]
    invoice = api.get("/v1/invoices/in_003?expand[]=payments.data.payment.payment_intent").json()
    assert invoice["payments"]["data"][0]["payment"]["payment_intent"]["object"] == "payment_intent"
    customer = api.get("/v1/customers/cus_001?expand[]=subscriptions").json()
    assert [value["id"] for value in customer["subscriptions"]["data"]] == ["sub_001"]  # sub_006, sub_011 have ended


def test_expanding_keeps_the_digits_of_every_number(api: httpx.Client) -> None:
    text = api.get("/v1/charges/ch_003?expand[]=customer&expand[]=balance_transaction").text
    assert text.count(EXACT) == 3


def test_deleted_object_is_found_by_id_and_never_listed(api: httpx.Client) -> None:
    assert api.get("/v1/customers/cus_gone").json()["deleted"] is True
    assert "cus_gone" not in ids(api.get("/v1/customers?limit=100"))


def test_missing_file_is_an_empty_resource(tmp_path: Path) -> None:
    assert client_of(tmp_path).get("/v1/charges").json() == {
        "object": "list",
        "data": [],
        "has_more": False,
        "url": "/v1/charges",
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": "ch_2", "created": 1', "line 2 cannot be served"),
        ("[1]", "line 2 cannot be served"),
        ('{"object": "charge", "created": 1}', "line 2 cannot be served: it has no 'id'"),
        ('{"id": "ch_2"}', "line 2 cannot be served"),
        ('{"id": "ch_1", "created": 1}', "line 2 repeats ch_1, which is on line 1"),
    ],
)
def test_line_that_cannot_be_served_is_named_at_the_start(tmp_path: Path, line: str, reason: str) -> None:
    write_lines(tmp_path / "stripe/charges.jsonl", [{"id": "ch_1", "created": 1}])
    with (tmp_path / "stripe/charges.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(DatasetError, match=f"charges.jsonl {reason}"):
        Stripe(tmp_path, KEY)


def _parameters(document: dict[str, Any], path: str) -> set[str]:
    names = set()
    for parameter in document["paths"][path]["get"]["parameters"]:
        schema, name = parameter["schema"], parameter["name"]
        if parameter["in"] == "path":
            continue
        if "anyOf" in schema:
            names |= {name, *(f"{name}[{bound}]" for bound in schema["anyOf"][0]["properties"])}
        elif schema["type"] == "object":
            names |= {f"{name}[{field}]" for field in schema["properties"]}
        else:
            names.add(f"{name}[]" if schema["type"] == "array" else name)
    return names


def test_endpoints_and_parameters_are_those_of_the_api_document(document: dict[str, Any]) -> None:
    page = {"ending_before", "expand[]", "limit", "starting_after"}
    for resource in RESOURCES:
        own = set()
        for filter_ in resource.filters:
            own.add(f"{filter_.name}[]" if filter_.many else filter_.name)
            own |= {f"{filter_.name}[{bound}]" for bound in ("gt", "gte", "lt", "lte") if filter_.ranged}
        assert _parameters(document, f"/v1/{resource.name}") == page | own, resource.name
        single = f"/v1/{resource.name}/{{{resource.parameter}}}"
        assert _parameters(document, single) == {"expand[]", *resource.retrieve_parameters}, resource.name
    for nested in NESTED:
        parameter = next(resource.parameter for resource in RESOURCES if resource.name == nested.resource)
        path = f"/v1/{nested.resource}/{{{'credit_note' if nested.resource == 'credit_notes' else parameter}}}/{nested.name}"
        assert _parameters(document, path) == page, path


def test_expandable_fields_are_those_of_the_api_document(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def links(schema: Any, path: tuple[str, ...], seen: tuple[str, ...]) -> set[tuple[str, tuple[str, ...]]]:
        if "x-expansionResources" in schema:
            kinds = [option["$ref"].split("/")[-1] for option in schema["x-expansionResources"]["oneOf"]]
            served = tuple(sorted(kind for kind in kinds if kind in LINKS))
            return {(".".join(path), served)} if served else set()
        if "$ref" in schema:
            name = schema["$ref"].split("/")[-1]
            if path and "object" in schemas[name].get("properties", {}):
                return {(".".join(path), (name,))} if name in LINKS else set()
            return set() if name in seen else links(schemas[name], path, (*seen, name))
        found = set()
        for option in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else [])):
            found |= links(option, path, seen)
        for name, field in schema.get("properties", {}).items():
            found |= links(field, (*path, name), seen)
        return found

    for kind, fields in LINKS.items():
        # An error keeps the payment intent that failed as it was: it is no link to follow.
        expected = {link for link in links(schemas[kind], (), (kind,)) if "_error." not in link[0]}
        assert {(path, tuple(sorted(kinds))) for path, kinds in fields.items()} == expected, kind
    assert all(f"{field}.data" in LINKS[kind] for kind, field in INCLUDED)
