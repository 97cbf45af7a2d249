"""The sandbox's Orb against Orb's official client and its API document."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orb
import pytest

from sandbox.serve import Company
from sandbox.servers.collection import DatasetError
from sandbox.servers.orb import ENDPOINTS, Orb
from tests.sandbox.conftest import EXACT, NOW, client, read_lines, write_lines

KEY = "orb-key"
DOCUMENT = Path(__file__).parents[2] / "../shared/specs/orb-openapi.json"
RESOURCES = [
    "customers",
    "plans",
    "prices",
    "items",
    "metrics",
    "subscriptions",
    "invoices",
    "credit_notes",
    "backfills",
]
ALL_STATUSES = ["draft", "issued", "paid", "synced", "void"]
AUGUST = "timeframe_start=2026-08-01T00:00:00Z&timeframe_end=2026-08-06T00:00:00Z"


@pytest.fixture(scope="module")
def api(dataset: Path) -> httpx.Client:
    return client(Orb(dataset, KEY, NOW), KEY, "/v1")


@pytest.fixture(scope="module")
def official(company: Company) -> orb.Orb:
    return orb.Orb(api_key=company.orb_api_key, base_url=company.orb_api_base, max_retries=0)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    if not DOCUMENT.exists():
        pytest.skip(f"Orb's API document is not at {DOCUMENT}: the table and the errors are not compared with it")
    loaded: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return loaded


def data(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    values: list[dict[str, Any]] = response.json()["data"]
    return values


def in_order(name: str, values: list[dict[str, Any]]) -> list[str]:
    """Ids in the order of the API's list: metrics carry no time of their own and stand as in the file."""
    if name == "metrics":
        return [value["id"] for value in values]
    field = "invoice_date" if name == "invoices" else "created_at"
    created = {value["id"]: (value[field], n) for n, value in enumerate(values)}
    return sorted(created, key=lambda identity: created[identity], reverse=True)


@pytest.mark.parametrize("name", RESOURCES)
def test_official_client_pages_through_every_object_once_in_order(official: orb.Orb, dataset: Path, name: str) -> None:
    service = official.events.backfills if name == "backfills" else getattr(official, name)
    everything: dict[str, Any] = {"status": ALL_STATUSES} if name == "invoices" else {}
    expected = in_order(name, read_lines(dataset / f"orb/{name}.jsonl"))
    assert [value.id for value in service.list(limit=9, **everything)] == expected
    assert len(service.list(**everything).data) == 20
    assert service.fetch(expected[0]).id == expected[0]


def test_official_client_walks_ledger_and_blocks_of_each_customer(official: orb.Orb, dataset: Path) -> None:
    ledger, blocks = (read_lines(dataset / f"orb/{name}.jsonl") for name in ("credit_ledger", "credit_blocks"))
    for customer in list(official.customers.list())[-3:]:
        entries = official.customers.credits.ledger.list(customer.id, currency=customer.currency, limit=5)
        assert [entry.id for entry in entries] == in_order(
            "credit_ledger", [entry for entry in ledger if entry["customer"]["id"] == customer.id]
        )
        everything = official.customers.credits.list(customer.id, currency=customer.currency, include_all_blocks=True)
        assert {block.id for block in everything} == {
            block["id"] for block in blocks if block["customer_id"] == customer.id
        }
        by_alias = official.customers.credits.ledger.list_by_external_id(
            str(customer.external_customer_id), currency=customer.currency
        )
        assert len(list(by_alias)) == len(list(entries))


def test_official_client_reads_usage_volume_and_events(official: orb.Orb) -> None:
    usage = official.subscriptions.fetch_usage(
        "subs_000", granularity="day", timeframe_start="2026-08-01T00:00:00Z", timeframe_end="2026-08-06T00:00:00Z"
    )
    assert len(usage.data) == 2
    volume = official.events.volume.list(timeframe_start="2026-08-01T12:00:00Z", timeframe_end="2026-08-01T16:00:00Z")
    assert [hour.count for hour in volume.data] == [0, 13, 0, 15]
    found = official.events.search(
        event_ids=[f"event_{n:04d}" for n in range(500)], timeframe_start="2026-01-01T00:00:00Z"
    )
    assert {event.id for event in found.data} == {f"event_{n:04d}" for n in range(500) if n % 2 == 0 or n % 10 <= 5}


@pytest.mark.parametrize("name", RESOURCES)
def test_served_objects_are_the_datasets_bytes(api: httpx.Client, dataset: Path, name: str) -> None:
    lines = {json.loads(line)["id"]: line for line in (dataset / f"orb/{name}.jsonl").read_text().splitlines()}
    path = "/events/backfills" if name == "backfills" else f"/{name}"
    statuses = "".join(f"&status[]={status}" for status in ALL_STATUSES) if name == "invoices" else ""
    text = api.get(f"{path}?limit=100{statuses}").text
    assert all(line in text for line in lines.values())
    identity = next(iter(lines))
    assert api.get(f"{path}/{identity}").text == lines[identity]


def test_amounts_keep_their_digits(api: httpx.Client) -> None:
    assert api.get("/customers/cust_000/credits/ledger?currency=USD").text.count(f'"amount": {EXACT}') == 2
    assert f'"balance":{EXACT}' in api.get("/customers/cust_000/credits?currency=USD").text
    assert f'"quantity": {EXACT}' in api.get(f"/subscriptions/subs_000/usage?granularity=day&{AUGUST}").text
    assert f'"gpu_seconds": {EXACT}' in api.post("/events/search", json={"event_ids": ["event_0005"]}).text


def _paid(keeps: Callable[[dict[str, Any]], bool]) -> Callable[[dict[str, Any]], bool]:
    return lambda invoice: invoice["status"] == "paid" and keeps(invoice)


FILTERS: list[tuple[str, str, Callable[[dict[str, Any]], bool]]] = [
    ("customers", "created_at[gte]=2026-07-05T00:00:00Z", lambda v: v["created_at"] >= "2026-07-05"),
    (
        "customers",
        "created_at[gt]=2026-07-05&created_at[lte]=2026-07-07",
        lambda v: v["created_at"][8:10] in ("06", "07"),
    ),
    ("customers", "created_at[lt]=2026-07-05T02:00:00%2B02:00", lambda v: v["created_at"] < "2026-07-05"),
    ("plans", "status=archived", lambda v: v["status"] == "archived"),
    ("metrics", "created_at[gte]=2026-07-11T00:00:00Z", lambda v: v["id"] >= "met_010"),
    ("subscriptions", "customer_id[]=cust_000&customer_id[]=cust_002", lambda v: v["customer"]["id"] != "cust_001"),
    ("subscriptions", "external_customer_id[]=acct_0001", lambda v: v["customer"]["id"] == "cust_001"),
    ("subscriptions", "plan_id=plan_001", lambda v: v["plan"]["id"] == "plan_001"),
    ("subscriptions", "external_plan_id=ext_0", lambda v: v["plan"]["id"] == "plan_000"),
    ("subscriptions", "status=ended", lambda v: v["status"] == "ended"),
    ("subscriptions", "status[]=ended&status[]=upcoming", lambda v: v["status"] != "active"),
    ("invoices", "", lambda v: v["status"] in ("issued", "paid", "synced")),
    ("invoices", "status[]=draft&status[]=void", lambda v: v["status"] in ("draft", "void")),
    ("invoices", "status[]=paid&customer_id=cust_001", _paid(lambda v: v["customer"]["id"] == "cust_001")),
    ("invoices", "status[]=paid&external_customer_id=acct_0002", _paid(lambda v: v["customer"]["id"] == "cust_002")),
    ("invoices", "status[]=paid&subscription_id=subs_002", lambda v: v["id"] == "inv_002"),
    (
        "invoices",
        "status[]=paid&invoice_date[gt]=2026-09-01T00:00:00Z",
        _paid(lambda v: v["invoice_date"] > "2026-09-02"),
    ),
    ("invoices", "status[]=paid&due_date=2026-10-01", _paid(lambda v: v["due_date"][5:7] == "10")),
    (
        "invoices",
        "status[]=paid&due_date[gt]=2026-09-01&due_date[lt]=2026-11-01",
        _paid(lambda v: v["due_date"][5:7] == "10"),
    ),
    ("invoices", "status[]=paid&due_date_window=30d", _paid(lambda v: v["due_date"][5:7] == "11")),
    (
        "invoices",
        "date_type=due_date&status[]=paid&invoice_date[gte]=2026-11-01",
        _paid(lambda v: v["due_date"][5:7] == "11"),
    ),
    ("invoices", "status[]=paid&amount=7.5", lambda v: v["id"] == "inv_007"),
    ("invoices", "status[]=paid&amount[gt]=12.50&amount[lt]=23", lambda v: v["id"] in ("inv_017", "inv_022")),
    ("invoices", "status[]=paid&is_recurring=true", _paid(lambda v: v["invoice_source"] == "subscription")),
    ("credit_notes", "created_at[lte]=2026-07-05T00:00:00Z", lambda v: v["created_at"] < "2026-07-06"),
]


@pytest.mark.parametrize(("name", "query", "keeps"), FILTERS, ids=[f"{name}?{query}" for name, query, _ in FILTERS])
def test_list_parameter_keeps_exactly_the_objects_it_describes(
    api: httpx.Client, dataset: Path, name: str, query: str, keeps: Callable[[dict[str, Any]], bool]
) -> None:
    kept = [value for value in read_lines(dataset / f"orb/{name}.jsonl") if keeps(value)]
    expected = in_order(name, kept)
    assert expected
    paged: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"/{name}?limit=4&{query}{cursor}").json()
        paged += [value["id"] for value in page["data"]]
        if not page["pagination_metadata"]["has_more"]:
            assert page["pagination_metadata"]["next_cursor"] is None
            break
        cursor = f"&cursor={page['pagination_metadata']['next_cursor']}"
    assert paged == expected


def test_object_is_found_by_its_external_id(api: httpx.Client) -> None:
    assert api.get("/customers/external_customer_id/acct_0004").json()["id"] == "cust_004"
    assert api.get("/plans/external_plan_id/ext_3").json()["id"] == "plan_003"
    assert api.get("/prices/external_price_id/ext_3").json()["id"] == "pr_003"


def test_money_blocks_and_entries_are_listed_only_when_their_currency_is_named(api: httpx.Client) -> None:
    assert data(api.get("/customers/cust_000/credits?include_all_blocks=true")) == []
    assert data(api.get("/customers/cust_000/credits/ledger")) == []
    assert data(api.get("/customers/cust_002/credits/ledger?currency=USD")) == []
    assert data(api.get("/customers/cust_002/credits/ledger?currency=JPY&limit=1000")) != []


def test_default_blocks_are_those_with_a_balance_and_not_expired(api: httpx.Client) -> None:
    def blocks(query: str) -> list[str]:
        return sorted(block["id"] for block in data(api.get(f"/customers/cust_000/credits?currency=USD{query}")))

    assert blocks("") == ["block_000"]
    assert blocks("&include_all_blocks=true") == ["block_000", "block_003"]
    assert blocks("&include_all_blocks=true&effective_date[gt]=2026-07-01T00:00:00Z") == []
    assert "customer_id" not in data(api.get("/customers/cust_000/credits?currency=USD"))[0]
    assert "customer_id" not in api.get("/credit_blocks/block_003").json()


@pytest.mark.parametrize(
    ("query", "keeps"),
    [
        ("entry_type=increment", lambda v: v["entry_type"] == "increment"),
        ("entry_status=pending", lambda v: v["entry_status"] == "pending"),
        ("minimum_amount=30", lambda v: abs(v["amount"]) >= 30),
        ("created_at[gte]=2026-07-10T00:00:00Z", lambda v: v["created_at"] >= "2026-07-10"),
    ],
)
def test_ledger_filter_keeps_exactly_the_entries_it_describes(
    api: httpx.Client, dataset: Path, query: str, keeps: Callable[[dict[str, Any]], bool]
) -> None:
    entries = [
        entry for entry in read_lines(dataset / "orb/credit_ledger.jsonl") if entry["customer"]["id"] == "cust_000"
    ]
    served = data(api.get(f"/customers/cust_000/credits/ledger?currency=USD&limit=1000&{query}"))
    assert [entry["id"] for entry in served] == in_order("credit_ledger", [entry for entry in entries if keeps(entry)])


def test_usage_by_day_has_every_day_of_the_timeframe(api: httpx.Client) -> None:
    metrics = data(api.get(f"/subscriptions/subs_000/usage?granularity=day&{AUGUST}"))
    assert [metric["billable_metric"]["id"] for metric in metrics] == ["met_000", "met_001"]
    days = [(day["timeframe_start"][:10], day["timeframe_end"][:10]) for day in metrics[0]["usage"]]
    assert days == [(f"2026-08-0{n}", f"2026-08-0{n + 1}") for n in range(1, 6)]
    assert [day["quantity"] for day in metrics[0]["usage"]] == [0, float(EXACT), 0, 5, 0]
    assert metrics[0]["view_mode"] == "periodic"
    assert data(api.get("/subscriptions/subs_001/usage")) == []


def test_usage_without_granularity_is_the_exact_total_of_the_billing_period(api: httpx.Client) -> None:
    text = api.get("/subscriptions/subs_000/usage?billable_metric_id=met_001").text
    (metric,) = json.loads(text, parse_float=Decimal)["data"]
    assert metric["usage"] == [
        {
            "quantity": Decimal(EXACT) + 5,
            "timeframe_start": "2026-08-01T00:00:00+00:00",
            "timeframe_end": "2026-09-01T00:00:00+00:00",
        }
    ]


def test_cumulative_usage_adds_up(api: httpx.Client) -> None:
    text = api.get(f"/subscriptions/subs_000/usage?granularity=day&view_mode=cumulative&{AUGUST}").text
    quantities = [day["quantity"] for day in json.loads(text, parse_float=Decimal)["data"][0]["usage"]]
    assert quantities == [0, Decimal(EXACT), Decimal(EXACT), Decimal(EXACT) + 5, Decimal(EXACT) + 5]


def test_days_of_usage_are_the_customers_own(tmp_path: Path) -> None:
    customer = {"id": "c", "timezone": "America/Los_Angeles"}
    metric = {"id": "m", "name": "m"}
    day = {"quantity": 7, "timeframe_start": "2022-02-02T08:00:00+00:00", "timeframe_end": "2022-02-03T08:00:00+00:00"}
    created = {"created_at": "2022-01-01T00:00:00Z"}
    write_lines(tmp_path / "orb/subscriptions.jsonl", [{"id": "s", "customer": customer, **created}])
    write_lines(
        tmp_path / "orb/subscription_usage.jsonl",
        [{"subscription_id": "s", "billable_metric": metric, "usage": [day]}],
    )
    api = client(Orb(tmp_path, KEY, NOW), KEY, "/v1")
    window = "timeframe_start=2022-02-01T05:00:00Z&timeframe_end=2022-02-04T01:00:00Z"
    (usage,) = data(api.get(f"/subscriptions/s/usage?granularity=day&{window}"))
    # The example of Orb's document for this endpoint.
    assert [(day["timeframe_start"][:13], day["quantity"]) for day in usage["usage"]] == [
        ("2022-02-01T05", 0),
        ("2022-02-01T08", 0),
        ("2022-02-02T08", 7),
        ("2022-02-03T08", 0),
    ]
    cut = "timeframe_start=2022-02-02T12:00:00Z&timeframe_end=2022-02-04T01:00:00Z"
    refused = api.get(f"/subscriptions/s/usage?granularity=day&{cut}").json()
    assert refused["type"].endswith("#400-constraint-violation")


def test_volume_pages_through_every_hour_of_the_timeframe(api: httpx.Client) -> None:
    counts: dict[str, int] = {}
    cursor = ""
    while True:
        window = "timeframe_start=2026-08-01T00:30:00Z&timeframe_end=2026-08-02T05:30:00Z"
        page = api.get(f"/events/volume?{window}{cursor}").json()
        assert len(page["data"]) <= 20
        counts |= {hour["timeframe_start"][8:13]: hour["count"] for hour in page["data"]}
        if not page["pagination_metadata"]["has_more"]:
            break
        cursor = f"&cursor={page['pagination_metadata']['next_cursor']}"
    assert list(counts) == [f"01T{n:02d}" for n in range(24)] + [f"02T{n:02d}" for n in range(6)]
    assert {hour: count for hour, count in counts.items() if count} == {"01T13": 13, "01T15": 15}
    until_now = api.get("/events/volume?timeframe_start=2026-11-19T20:00:00Z").json()
    assert [hour["timeframe_end"][8:13] for hour in until_now["data"]] == ["19T21", "19T22", "19T23", "20T00"]


def test_search_without_a_timeframe_finds_the_last_week_only(api: httpx.Client) -> None:
    def found(**body: Any) -> list[str]:
        return [event["id"] for event in data(api.post("/events/search", json=body))]

    asked = ["event_0001", "event_0003", "event_0000", "no_such_event", "event_0003"]
    assert found(event_ids=asked) == ["event_0001", "event_0003"]
    assert found(event_ids=asked, timeframe_start="2026-10-01T00:00:00Z") == ["event_0000", "event_0001", "event_0003"]
    assert found(event_ids=asked, timeframe_end="2026-11-18T00:00:00Z") == ["event_0001"]


ERRORS: list[tuple[str, str, dict[str, Any] | None, int, str, str]] = [
    ("GET", "/foo", None, 404, "404-url-not-found", "GET /v1/foo"),
    ("POST", "/customers", {}, 404, "404-url-not-found", "POST /v1/customers"),
    ("GET", "/alerts", None, 404, "404-url-not-found", "/v1/alerts"),
    ("GET", "/customers/cust_none", None, 404, "404-resource-not-found", "cust_none"),
    ("GET", "/customers/external_customer_id/none", None, 404, "404-resource-not-found", "none"),
    ("GET", "/customers/cust_none/credits", None, 404, "404-resource-not-found", "cust_none"),
    ("GET", "/customers/external_customer_id/none/credits/ledger", None, 404, "404-resource-not-found", "none"),
    ("GET", "/credit_blocks/none", None, 404, "404-resource-not-found", "none"),
    ("GET", "/events/backfills/none", None, 404, "404-resource-not-found", "none"),
    ("GET", "/subscriptions/none/usage", None, 404, "404-resource-not-found", "none"),
    ("GET", "/customers?foo=1", None, 400, "400-request-validation-errors", "foo: unknown query parameter"),
    (
        "GET",
        "/customers?limit=101",
        None,
        400,
        "400-request-validation-errors",
        "limit: must be an integer from 1 to 100",
    ),
    ("GET", "/customers?limit=0", None, 400, "400-request-validation-errors", "limit"),
    (
        "GET",
        "/customers/cust_000/credits/ledger?limit=1001",
        None,
        400,
        "400-request-validation-errors",
        "from 1 to 1000",
    ),
    ("GET", "/customers?cursor=abc", None, 400, "400-request-validation-errors", "cursor"),
    ("GET", "/customers?cursor=bm9uZQ==", None, 400, "400-request-validation-errors", "cursor"),
    ("GET", "/customers?created_at[gte]=yesterday", None, 400, "400-request-validation-errors", "created_at[gte]"),
    ("GET", "/invoices?status[]=late", None, 400, "400-request-validation-errors", "status[]: must be one of draft"),
    ("GET", "/invoices?status=paid", None, 400, "400-request-validation-errors", "status: unknown"),
    ("GET", "/invoices?amount=much", None, 400, "400-request-validation-errors", "amount: must be a decimal number"),
    ("GET", "/invoices?due_date_window=7w", None, 400, "400-request-validation-errors", "due_date_window"),
    (
        "GET",
        "/invoices?is_recurring=1",
        None,
        400,
        "400-request-validation-errors",
        "is_recurring: must be true or false",
    ),
    ("GET", "/events/volume", None, 400, "400-request-validation-errors", "timeframe_start: is required"),
    (
        "GET",
        f"/subscriptions/subs_000/usage?{AUGUST}&group_by=model",
        None,
        400,
        "404-feature-not-available",
        "group_by",
    ),
    (
        "GET",
        "/subscriptions/subs_000/usage?timeframe_start=2026-08-01",
        None,
        400,
        "400-request-validation-errors",
        "together",
    ),
    ("POST", "/events/search", {"event_ids": []}, 400, "400-request-validation-errors", "from 1 to 500"),
    ("POST", "/events/search", {"event_ids": ["e"] * 501}, 400, "400-request-validation-errors", "from 1 to 500"),
    ("POST", "/events/search", {}, 400, "400-request-validation-errors", "event_ids"),
    ("POST", "/events/search", {"event_ids": ["e"], "name": "x"}, 400, "400-request-validation-errors", "name"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug", "detail"), ERRORS, ids=[f"{e[1]} {e[2]}"[:60] for e in ERRORS]
)
def test_request_that_orb_refuses_gets_orbs_error(
    api: httpx.Client, method: str, path: str, body: dict[str, Any] | None, status: int, slug: str, detail: str
) -> None:
    response = api.request(method, path, json=body)
    error = response.json()
    assert (response.status_code, error["status"]) == (status, status)
    assert error["type"] == f"https://docs.withorb.com/reference/error-responses#{slug}"
    assert detail in error["detail"]
    if slug == "400-request-validation-errors":
        assert any(detail in problem for problem in error["validation_errors"])


def test_wrong_or_missing_key_is_refused_and_a_flood_is_slowed(dataset: Path) -> None:
    for key in (None, "other"):
        response = client(Orb(dataset, KEY, NOW), key, "/v1").get("/ping")
        assert (response.status_code, response.json()["status"]) == (401, 401)
    limited = client(Orb(dataset, KEY, NOW, requests_per_second=2), KEY, "/v1")
    assert [limited.get("/ping").status_code for _ in range(3)] == [200, 200, 429]
    assert limited.get("/ping").json()["type"].endswith("#429-too-many-requests")


@pytest.mark.parametrize(
    ("file", "line", "reason"),
    [
        ("customers", '{"id": "b", "created_at": ', "line 2 cannot be served"),
        ("customers", '{"id": "a", "created_at": "2026-07-01T00:00:00Z"}', "line 2 repeats a"),
        ("customers", '{"id": "b"}', "line 2 cannot be served"),
        ("events", '{"id": 7}', "line 2 cannot be served"),
        ("events", '{"id": "a"}', "line 2 repeats a"),
    ],
)
def test_line_that_cannot_be_served_is_named_at_the_start(tmp_path: Path, file: str, line: str, reason: str) -> None:
    write_lines(tmp_path / f"orb/{file}.jsonl", [{"id": "a", "created_at": "2026-07-01T00:00:00Z"}])
    with (tmp_path / f"orb/{file}.jsonl").open("a") as lines:
        lines.write(line)
    with pytest.raises(DatasetError, match=f"{file}.jsonl {reason}"):
        Orb(tmp_path, KEY, NOW)


def test_missing_files_are_empty_resources(tmp_path: Path) -> None:
    api = client(Orb(tmp_path, KEY, NOW), KEY, "/v1")
    assert api.get("/invoices").json() == {"data": [], "pagination_metadata": {"has_more": False, "next_cursor": None}}
    assert data(api.post("/events/search", json={"event_ids": ["a"]})) == []


def test_endpoints_and_parameters_are_those_of_the_api_document(document: dict[str, Any]) -> None:
    for endpoint, parameters in ENDPOINTS.items():
        method, path = endpoint.split()
        documented = document["paths"][path][method.lower()].get("parameters", [])
        spelled = {spelling for parameter in parameters for spelling in parameter.spellings}
        assert spelled == {parameter["name"] for parameter in documented if parameter["in"] == "query"}, endpoint


def test_errors_are_of_the_types_in_the_api_document(api: httpx.Client, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    types = {
        kind: schemas[option["$ref"].split("/")[-1]]["properties"]
        for option in schemas["AllErrors"]["oneOf"]
        for kind in schemas[option["$ref"].split("/")[-1]]["properties"]["type"]["enum"]
    }
    for method, path, body, status, *_ in ERRORS:
        error = api.request(method, path, json=body).json()
        assert status in types[error["type"]]["status"]["enum"], path
        assert set(error) <= set(types[error["type"]]), path
