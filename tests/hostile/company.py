"""The sandbox company as a source that does not hold still: its books change between two requests, and every version that an
object ever had is on record, so that what landed can be compared with what was there.

Stripe's and Orb's servers answer from JSONL files: a change writes them again and swaps the servers. PostgreSQL and the bank's
directory are changed in place.
"""

from __future__ import annotations

import copy
import csv
import json
import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from ingestion.settings import Settings, read_settings
from ingestion.streams import STREAMS, Stream, stream_named
from sandbox.dataset import read_objects, read_statements
from sandbox.generate import generate
from sandbox.servers import postgres
from sandbox.servers.orb import Orb
from sandbox.servers.stripe import GENEROUS, Stripe
from tests.ingestion.conftest import served

Object = dict[str, Any]

READ = tuple(stream for stream in STREAMS if stream.asked_by is None)
"""The other streams read what a dbt model asks for, and no model is built here: `tests/ingestion/test_orb.py` has them."""

STRIPE_API_KEY = "sk_live_hostile/company+stripe="
ORB_API_KEY = "orb/hostile+company="

_ENCODE = msgspec.json.Encoder(decimal_format="number").encode
_FEWEST = 5
"""Of fewer objects none is deleted: there would soon be none to change."""
_VERBS = ("created", "updated", "deleted")

_COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum"
_UPDATE = """
update {table} set {touched} = now()
where {key} in (select {key} from {table} order by md5({key} || '{change}') limit 5)
"""
_DELETE = "delete from {table} where {key} in (select {key} from {table} order by md5('{change}' || {key}) limit 1)"
_INSERT = """
insert into {table}
select (jsonb_populate_record(null::{table}, to_jsonb(template) || jsonb_build_object(
    '{key}', 'new_{change}_' || n, 'occurred_at', now(), 'recorded_at', now(), 'updated_at', now()
))).*
from (select * from {table} order by {key} limit 1) as template, generate_series(1, 2) as n
"""


@contextmanager
def hostile_company(
    folder: Path, seed: int, *, customers: int = 10, months: int = 2, events: int = 2_000
) -> Iterator[Company]:
    """A small company, open for business until the context ends. Call it from the main thread, as PostgreSQL asks for."""
    dataset, state = folder / "dataset", folder / "state"
    generate(dataset, seed=seed, customers=customers, months=months, events=events, defects="none")
    state.mkdir()
    with postgres.serve(dataset, state) as database:
        company = Company(dataset, database, seed)
        with (
            closing(company),
            served(lambda request: company.stripe(request)) as stripe,
            served(lambda request: company.orb(request)) as orb,
        ):
            company.environment = {
                "STRIPE_API_BASE": stripe,
                "STRIPE_API_KEY": STRIPE_API_KEY,
                "STRIPE_REQUESTS_PER_SECOND": str(int(GENEROUS.account)),
                "ORB_API_BASE": f"{orb}/v1",
                "ORB_API_KEY": ORB_API_KEY,
                "APP_DATABASE_URL": database,
                "BANK_STATEMENTS": str(dataset / "bank"),
            }
            yield company


class Company:
    """Everything that is read. One change is made at a time, by whichever thread."""

    def __init__(self, dataset: Path, database: str, seed: int) -> None:
        self.dataset, self.database = dataset, database
        self.environment: dict[str, str] = {}
        self.clock_skew = timedelta()
        self.versions: Mapping[Stream, dict[str, list[str | None]]] = {stream: defaultdict(list) for stream in READ}
        """By stream and object: every version that there was, in order, as `canonical` text. None: it was gone."""
        self._random, self._changes, self._changing = random.Random(seed), 0, threading.Lock()
        self._books = {
            name: list(read_objects(dataset, name))
            for source in ("stripe", "orb")
            for name in (f"{source}/{path.stem}" for path in sorted(dataset.glob(f"{source}/*.jsonl")))
        }
        self._late = psycopg.connect(database)
        self._open("stripe", "orb")
        self._remember(stream.source for stream in READ)

    def settings(self, home: Path) -> Settings:
        """Settings that read this company into a home."""
        return read_settings({**self.environment, "TIEOUT_HOME": str(home)})

    def change(self, stream: Stream) -> None:
        """Something is created, edited, edited back or deleted that a read of this stream has to find."""
        with self._changing:
            self._changes += 1
            match stream.source:
                case "stripe":
                    self._change_stripe(stream)
                case "orb":
                    self._change_orb(stream)
                case "app":
                    self._write(stream)
                case "bank":
                    self._change_bank()
            self._open(stream.source)
            self._remember([stream.source, *(name.split(".")[0] for name in stream.after)])

    def settle(self) -> None:
        """End the transaction that the last change of the product's database left open."""
        with self._changing:
            self._late.commit()
            self._remember(["app"])

    def close(self) -> None:
        self._late.close()

    def present(self, stream: Stream) -> dict[str, str]:
        """What the source has now, by object id, as `canonical` text: read from its files and tables, not through its API."""
        return {object_id: canonical(value, stream.personal) for object_id, value in self._objects(stream)}

    def _objects(self, stream: Stream) -> Iterator[tuple[str, Any]]:
        match stream.source, stream.reads:
            case "app", "snapshot":
                for key, row in self._rows(f"select {stream.key}, row_to_json(t)::text from {stream.endpoint} as t"):
                    yield key, parsed(row)
            case "app", _:
                columns = [name for (name,) in self._rows(_COLUMNS, stream.endpoint)]
                for row in self._rows(f"select {', '.join(columns)} from {stream.endpoint}"):
                    yield str(row[columns.index(stream.key)]), list(row)
            case "bank", _:
                for lines in read_statements(self.dataset).values():
                    for line in lines:
                        yield f"{line['account_id']}/{line['line_id']}", line
            case "stripe", "lines":
                listed = self._book("stripe/invoice_lines")
                for invoice in self._book("stripe/invoices"):
                    own = [line for line in listed if line["invoice"] == invoice["id"]]
                    for line in own or invoice["lines"]["data"]:
                        yield line["id"], line
            case "stripe", "payouts":
                moved = {found["id"]: found for found in self._book("stripe/balance_transactions")}
                complete = {
                    payout["id"]
                    for payout in self._book("stripe/payouts")
                    if payout["automatic"] and payout["reconciliation_status"] == "completed"
                }
                for line in self._book("stripe/payout_transactions"):
                    if line["payout"] in complete:
                        yield f"{line['payout']}/{line['balance_transaction']}", moved[line["balance_transaction"]]
            case "stripe", _:
                for found in self._book(f"stripe/{stream.endpoint.removeprefix('/v1/')}"):
                    yield found["id"], found
            case "orb", "usage":
                for metric in self._book("orb/subscription_usage"):
                    subscription, about = metric["subscription_id"], metric["billable_metric"]
                    for day in metric["usage"]:
                        if Decimal(day["quantity"]):
                            of_day = {"subscription_id": subscription, "billable_metric": about, "usage": day}
                            yield f"{subscription}/{about['id']}/{day['timeframe_start'][:10]}", of_day
            case "orb", "volume":
                for hour in self._book("orb/event_volume"):
                    if hour["count"]:
                        yield hour["timeframe_start"], hour
            case _:
                for found in self._book(f"orb/{stream.name}"):
                    yield (
                        found["id"],
                        {name: value for name, value in found.items() if name != "customer_id"}
                        if (stream.name == "credit_blocks")
                        else found,
                    )

    def _book(self, name: str) -> list[Object]:
        return self._books.get(name, [])

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database, options="-c TimeZone=UTC") as connection:
            return connection.execute(query.encode(), values).fetchall()

    def _remember(self, sources: Iterable[str]) -> None:
        for stream in READ:
            if stream.source in sources:
                present, past = self.present(stream), self.versions[stream]
                for object_id in present.keys() | past.keys():
                    if not past[object_id] or past[object_id][-1] != present.get(object_id):
                        past[object_id].append(present.get(object_id))

    def _open(self, *sources: str) -> None:
        """Serve the books as they are now. Each book is a new file, for the server before has the old one mapped."""
        for name, objects in self._books.items():
            if name.split("/")[0] in sources:
                path = self.dataset / f"{name}.jsonl"
                path.with_suffix(".partial").write_bytes(b"".join(_ENCODE(found) + b"\n" for found in objects))
                path.with_suffix(".partial").replace(path)
        if "stripe" in sources:
            self.stripe = Stripe(self.dataset, STRIPE_API_KEY)
        if "orb" in sources:
            self.orb = Orb(self.dataset, ORB_API_KEY, self._now)

    @property
    def _now(self) -> datetime:
        return datetime.now(UTC) + self.clock_skew

    def _change_stripe(self, stream: Stream) -> None:
        created = int(self._now.timestamp())
        if stream.name == "balance_transactions":
            self._create("stripe/balance_transactions", created=created)
            return
        if stream.name == "payout_transactions":
            payout = self._create("stripe/payouts", created=created, automatic=True, reconciliation_status="completed")
            settled = self._create("stripe/balance_transactions", created=created)
            self._books["stripe/payout_transactions"].append(
                {"payout": payout["id"], "balance_transaction": settled["id"]}
            )
            return
        if stream.name == "events":
            stream = stream_named("stripe.products")
        book, (verb, kind) = f"stripe/{stream.endpoint.removeprefix('/v1/')}", self._stripe_verb(stream)
        if not self._books[book]:
            return
        if verb == "created":
            subject = self._create(book, created=created, date=created)
            if "lines" in subject:
                _give_own_lines(subject)
        else:
            subject = self._edit(book) if verb == "updated" else self._delete(book)
        self._create("stripe/events", created=created, type=kind, data={"object": copy.deepcopy(subject)})

    def _stripe_verb(self, stream: Stream) -> tuple[str, str]:
        """What happens to an object of the stream, and the type of the event that tells of it."""
        told = {verb: [kind for kind in stream.change_events if kind.endswith(f".{verb}")] for verb in _VERBS}
        others = [kind for kind in stream.change_events if not kind.endswith(_VERBS)]
        told["created"] = told["created"] or others
        told["updated"] = told["updated"] or others
        book = f"stripe/{stream.endpoint.removeprefix('/v1/')}"
        # Stripe says "deleted" of a subscription that was canceled; of invoices only drafts can be deleted, and there are none.
        if stream.endpoint in ("/v1/subscriptions", "/v1/invoices") or len(self._book(book)) < _FEWEST:
            del told["deleted"]
        verb = self._random.choice([verb for verb, kinds in told.items() if kinds])
        return verb, self._random.choice(told[verb])

    def _change_orb(self, stream: Stream) -> None:
        book, value = f"orb/{stream.name}", self._changes % 5
        match stream.reads:
            case "usage":
                _count(self._random.choice(self._books[book])["usage"], self._now, timedelta(days=1), quantity=value)
            case "volume":
                _count(self._books[book], self._now, timedelta(hours=1), count=value)
            case "ledger":
                self._enter(self._books[book])
            case "blocks":
                block = self._edit(book) if self._random.random() < 0.5 else self._create(book)
                entries = self._books["orb/credit_ledger"]
                entry = self._enter([one for one in entries if one["customer"]["id"] == block["customer_id"]])
                entry["credit_block"]["id"] = block["id"]
            case _:
                present = [found for found in self._books[book] if self._is_read_again(stream, found)]
                if present and self._random.random() < 0.5:
                    self._edit(book, present)
                else:
                    self._create(book, created_at=_iso(self._now), invoice_date=_iso(self._now))

    def _is_read_again(self, stream: Stream, found: Object) -> bool:
        """Whether an edit of it has to be found before the next sweep."""
        is_final = not stream.final or found[stream.status] in stream.final
        return (
            stream.reads == "whole"
            or not is_final
            or datetime.fromisoformat(found[str(stream.created)]) > self._now - stream.lookback
        )

    def _enter(self, entries: Sequence[Object]) -> Object:
        """A new entry on top of the credit ledger that has these."""
        top = max(entry["ledger_sequence_number"] for entry in self._books["orb/credit_ledger"])
        return self._create("orb/credit_ledger", entries, created_at=_iso(self._now), ledger_sequence_number=top + 1)

    def _create(self, book: str, like: Sequence[Object] = (), **fields: object) -> Object:
        """A new object that is like one of these, or like one there is."""
        subject = copy.deepcopy(self._random.choice(like or self._books[book]))
        subject |= {name: value for name, value in fields.items() if name in subject}
        subject["id"] = f"{subject['id'].split('_')[0]}_new{self._changes}"
        self._books[book].append(subject)
        return subject

    def _edit(self, book: str, among: Sequence[Object] = ()) -> Object:
        """An object, of these or of all, is noted, or what was noted is taken back."""
        subject = self._random.choice(among or self._books[book])
        metadata = {**(subject.get("metadata") or {})}
        if metadata.pop("noted", None) is None:
            metadata["noted"] = "yes"
        subject["metadata"] = metadata
        return subject

    def _delete(self, book: str) -> Object:
        objects = self._books[book]
        return objects.pop(self._random.randrange(len(objects)))

    def _write(self, stream: Stream) -> None:
        """One transaction in the product's database, after the one before has ended: new rows, updated and, of a small table,
        deleted ones. Of a big one it stays open until the next."""
        self._late.commit()
        names = {
            "table": stream.endpoint,
            "key": stream.key,
            "change": self._changes,
            "touched": "recorded_at" if stream.is_typed else "updated_at",
        }
        self._late.execute(_UPDATE.format(**names).encode())
        if not stream.is_typed:
            self._late.execute(_DELETE.format(**names).encode())
        self._late.execute(_INSERT.format(**names).encode())
        if not stream.is_typed:
            self._late.commit()

    def _change_bank(self) -> None:
        """A line is booked, and another one's text is corrected, or as it was again."""
        path = self._random.choice(sorted((self.dataset / "bank").glob("*.csv")))
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file))
        chosen, last = self._random.choice(lines), lines[-1]
        chosen["description"] = "" if chosen["description"] == "CORRECTED" else "CORRECTED"
        booked = {
            "line_id": f"NEW{self._changes}",
            "booked_on": f"{self._now:%Y-%m-%d}",
            "amount": "12.30",
            "balance": str(Decimal(last["balance"]) + Decimal("12.30")),
        }
        with path.with_suffix(".partial").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(last), lineterminator="\n")
            writer.writeheader()
            writer.writerows([*lines, {**last, **booked}])
        path.with_suffix(".partial").replace(path)


def parsed(text: str) -> Any:
    """JSON with the digits of its fractions as text, which is how they land."""
    return json.loads(text, parse_float=str)


def canonical(value: object, personal: Sequence[str] = ()) -> str:
    """A value as one text: equal values, equal texts. The values of `personal` keys are null, as they are in the lake."""
    return json.dumps(_emptied(value, personal), sort_keys=True)


def _emptied(value: object, personal: Sequence[str]) -> object:
    match value:
        case dict():
            return {key: None if key in personal else _emptied(inner, personal) for key, inner in value.items()}
        case list():
            return [_emptied(inner, personal) for inner in value]
        case datetime():
            return value.astimezone(UTC).isoformat()
        case Decimal() | date():
            return str(value)
    return value


def _give_own_lines(invoice: Object) -> None:
    """A copy of an invoice has other lines than its original, few enough to be embedded."""
    lines = invoice["lines"]["data"][:3]
    for number, line in enumerate(lines):
        line |= {"id": f"il_{invoice['id']}_{number}", "invoice": invoice["id"]}
    invoice["lines"] |= {"data": lines, "has_more": False}


def _count(counted: list[Object], now: datetime, width: timedelta, **value: int) -> None:
    """What was counted in the present day or hour becomes this."""
    start = datetime.fromtimestamp(now.timestamp() // width.total_seconds() * width.total_seconds(), UTC)
    counted[:] = [one for one in counted if one["timeframe_start"] != _iso(start)]
    counted.append({**value, "timeframe_start": _iso(start), "timeframe_end": _iso(start + width)})


def _iso(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
