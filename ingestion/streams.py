"""What is read: one frozen `Stream` an endpoint, table or file family. Adding one is a line here and its `stg_` model.

`reads` names the rule by which a later run finds what changed; the rules are implemented, and their traps told, in
`ingestion/sources/<source>.py`:

stripe  changes    list what was created since the cursor less `lookback`, re-fetch what `change_events` say was changed or
                   deleted: the object that an event is about, or the one that this names
        created    the same of objects that have no events: `lookback` is how long they change
        lines      the line items of the invoices that `changes` would read
        payouts    the transactions of the automatic payouts that `changes` would read
orb     whole      list all, every run: catalogues, whose edits leave no other trace
        recent     list what is not `final`, and what was created (invoices: dated) since the cursor less `lookback`; fetch by its
                   id what had landed as not final and stands in neither list
        ledger     each customer's entries, newest first, down to the sequence number below which all have landed as `final`, and
                   down to the cursor less `lookback`
        blocks     the credit blocks of the customers whose ledger (`after`) has moved since
        usage      usage a day, subscription and metric, since the cursor less `lookback`;  `volume`: events an hour
        lookup     events looked up by id: those that the table `asked_by` names, and those that were found before
        The first run of a UTC day is a sweep: it reads everything there is by the same rules, and what it no longer finds is
        deleted (`volume`: not). So is found within a day what a rule can't see: edits of what is old or final, entries below
        the top of a ledger, usage corrected before the look-back.
app     snapshot   the whole table, one consistent read; rows that are gone become deletions
        horizon    rows of the transactions that ended since the cursor, never past the snapshot's xmin horizon
bank    files      every line of every statement that adds up, CSV, CAMT.053 or MT940
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Stream:
    """One thing to read. `endpoint`: API path, table or file patterns; `key`: the field that identifies an object.

    `created`, `amount` and `currency` name the fields that a certificate counts and adds up; a stream whose list is not filtered
    by a field of its own has no `created` and is counted whole. An amount that is no decimal sends its object to quarantine. The
    values of `personal` keys are dropped before the lake, at whatever depth they stand. An object whose field `status` is not
    in `final` is not settled yet. `sequence` names the field that numbers the objects of a parent and unit in their order.
    `asked_by` is a table of the warehouse that says which objects to read.
    """

    source: str
    name: str
    endpoint: str
    reads: str
    description: str
    key: str = "id"
    change_events: tuple[str, ...] = ()
    lookback: timedelta = timedelta()
    freshness: timedelta = timedelta(hours=3)
    after: tuple[str, ...] = ()
    created: str | None = "created"
    amount: str | None = None
    currency: str | None = "currency"
    personal: tuple[str, ...] = ()
    status: str = "status"
    final: tuple[str, ...] = ()
    sequence: str | None = None
    asked_by: str | None = None

    @property
    def asset_key(self) -> tuple[str, str]:
        """Dagster asset key, dbt source and raw table: the same two words."""
        return (f"raw_{self.source}", self.name)

    @property
    def is_typed(self) -> bool:
        """High-volume tables land column by column; everything else lands as objects in the raw envelope."""
        return self.reads in ("horizon", "certificates")

    def __str__(self) -> str:
        return f"{self.source}.{self.name}"


def _created_updated_deleted(prefix: str) -> tuple[str, ...]:
    return (f"{prefix}.created", f"{prefix}.updated", f"{prefix}.deleted")


_INVOICE_EVENTS = (
    "invoice.created",
    "invoice.deleted",
    "invoice.finalization_failed",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.overdue",
    "invoice.overpaid",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_attempt_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.sent",
    "invoice.updated",
    "invoice.voided",
    "invoice.will_be_due",
)
_DISCOUNT_EVENTS = _created_updated_deleted("customer.discount")
_DISPUTE_EVENTS = (
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
)
_REFUND_EVENTS = ("charge.refund.updated", "refund.created", "refund.failed", "refund.updated")

# Nothing that finance asks needs these; what tells customers apart (name, e-mail address, country) stays.
_PERSONAL = (
    "billing_details",
    "customer_address",
    "customer_email",
    "customer_phone",
    "customer_shipping",
    "evidence",
    "exp_month",
    "exp_year",
    "fingerprint",
    "iin",
    "last4",
    "line1",
    "line2",
    "phone",
    "postal_code",
    "receipt_email",
    "shipping",
)

_STRIPE = (
    Stream(
        "stripe",
        "customers",
        "/v1/customers",
        "changes",
        "Customers of the Stripe account.",
        change_events=(*_created_updated_deleted("customer"), *_DISCOUNT_EVENTS),
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "products",
        "/v1/products",
        "changes",
        "Products that Stripe prices belong to.",
        change_events=_created_updated_deleted("product"),
    ),
    Stream(
        "stripe",
        "prices",
        "/v1/prices",
        "changes",
        "Stripe prices.",
        change_events=_created_updated_deleted("price"),
    ),
    Stream(
        "stripe",
        "subscriptions",
        "/v1/subscriptions",
        "changes",
        "Subscriptions of every status.",
        change_events=(
            *_created_updated_deleted("customer.subscription"),
            "customer.subscription.paused",
            "customer.subscription.resumed",
            "customer.subscription.pending_update_applied",
            "customer.subscription.pending_update_expired",
            "customer.subscription.trial_will_end",
            *_DISCOUNT_EVENTS,
        ),
    ),
    Stream(
        "stripe",
        "invoices",
        "/v1/invoices",
        "changes",
        "Invoices; their lines are a stream of their own.",
        change_events=(*_INVOICE_EVENTS, "credit_note.created", "credit_note.voided", "invoice_payment.paid"),
        amount="total",
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "invoice_lines",
        "/v1/invoices",
        "lines",
        "Line items of invoices, all of them: an invoice embeds ten at most.",
        change_events=_INVOICE_EVENTS,
        amount="amount",
        created=None,
    ),
    Stream(
        "stripe",
        "invoice_payments",
        "/v1/invoice_payments",
        "changes",
        "Which payment paid how much of which invoice (since API 2025-03-31 an invoice has many).",
        change_events=("invoice_payment.paid",),
        amount="amount_paid",
    ),
    Stream(
        "stripe",
        "invoice_items",
        "/v1/invoiceitems",
        "changes",
        "Items added to an invoice by hand or pending for the next one.",
        change_events=("invoiceitem.created", "invoiceitem.deleted"),
        amount="amount",
        created="date",
    ),
    Stream(
        "stripe",
        "credit_notes",
        "/v1/credit_notes",
        "changes",
        "Credit notes against invoices.",
        change_events=("credit_note.created", "credit_note.updated", "credit_note.voided"),
        amount="amount",
    ),
    Stream(
        "stripe",
        "charges",
        "/v1/charges",
        "changes",
        "Charges: one attempt to move money from a customer.",
        change_events=(
            "charge.captured",
            "charge.expired",
            "charge.failed",
            "charge.pending",
            "charge.refunded",
            "charge.succeeded",
            "charge.updated",
            *_DISPUTE_EVENTS,
            *_REFUND_EVENTS,
        ),
        amount="amount",
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "payment_intents",
        "/v1/payment_intents",
        "changes",
        "Payment intents: one debt being collected, over one or more charges.",
        change_events=(
            "payment_intent.amount_capturable_updated",
            "payment_intent.canceled",
            "payment_intent.created",
            "payment_intent.partially_funded",
            "payment_intent.payment_failed",
            "payment_intent.processing",
            "payment_intent.requires_action",
            "payment_intent.succeeded",
        ),
        amount="amount",
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "refunds",
        "/v1/refunds",
        "changes",
        "Refunds of charges.",
        change_events=_REFUND_EVENTS,
        amount="amount",
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "disputes",
        "/v1/disputes",
        "changes",
        "Disputes; their balance transactions hang off the dispute, not the charge.",
        change_events=_DISPUTE_EVENTS,
        amount="amount",
        personal=_PERSONAL,
    ),
    Stream(
        "stripe",
        "balance_transactions",
        "/v1/balance_transactions",
        "created",
        "Every movement of the Stripe balance; pending ones become available within days.",
        lookback=timedelta(days=10),
        amount="amount",
    ),
    Stream(
        "stripe",
        "payouts",
        "/v1/payouts",
        "changes",
        "Payouts to the bank.",
        change_events=(
            "payout.canceled",
            "payout.created",
            "payout.failed",
            "payout.paid",
            "payout.reconciliation_completed",
            "payout.updated",
        ),
        amount="amount",
    ),
    Stream(
        "stripe",
        "payout_transactions",
        "/v1/payouts",
        "payouts",
        "Which balance transactions a payout is made of: known only by listing per automatic payout.",
        change_events=("payout.reconciliation_completed",),
        lookback=timedelta(days=14),
        amount="amount",
        created=None,
    ),
    Stream(
        "stripe",
        "events",
        "/v1/events",
        "created",
        "Stripe's change feed, of which Stripe keeps 30 days.",
        personal=_PERSONAL,
    ),
)

_ORB = (
    Stream(
        "orb",
        "customers",
        "/customers",
        "recent",
        "Customers as Orb bills them.",
        lookback=timedelta(days=2),
        created="created_at",
        personal=_PERSONAL,
    ),
    Stream("orb", "plans", "/plans", "whole", "Plans with their prices.", created="created_at"),
    Stream("orb", "prices", "/prices", "whole", "Prices: model, tiers, metric, item.", created="created_at"),
    Stream("orb", "items", "/items", "whole", "Items: what an invoice line is for.", created="created_at"),
    Stream("orb", "metrics", "/metrics", "whole", "Billable metrics.", created=None),
    Stream(
        "orb",
        "subscriptions",
        "/subscriptions",
        "recent",
        "Subscriptions with their price intervals.",
        lookback=timedelta(days=2),
        created="created_at",
        personal=_PERSONAL,
        final=("ended",),
    ),
    Stream(
        "orb",
        "invoices",
        "/invoices",
        "recent",
        "Invoices of every status, drafts too, with their line items.",
        lookback=timedelta(days=35),
        # The list is filtered by this date, and a draft whose date lies ahead is not certified: its amounts move all the time.
        created="invoice_date",
        amount="total",
        personal=_PERSONAL,
        final=("paid", "void"),
    ),
    Stream(
        "orb",
        "credit_notes",
        "/credit_notes",
        "recent",
        "Credit notes against Orb invoices.",
        lookback=timedelta(days=35),
        created="created_at",
        amount="total",
        personal=_PERSONAL,
    ),
    Stream(
        "orb",
        "credit_ledger",
        "/customers/{id}/credits/ledger",
        "ledger",
        "Credit ledger entries, in sequence per customer and pricing unit.",
        lookback=timedelta(days=2),
        created="created_at",
        amount="amount",
        status="entry_status",
        final=("committed",),
        sequence="ledger_sequence_number",
    ),
    Stream(
        "orb",
        "credit_blocks",
        "/customers/{id}/credits",
        "blocks",
        "Credit blocks, spent and expired ones too.",
        after=("orb.credit_ledger",),
        created=None,
    ),
    Stream(
        "orb",
        "subscription_usage",
        "/subscriptions/{id}/usage",
        "usage",
        "Usage that Orb metered: a quantity per subscription, metric and day of the customer.",
        key="day",
        lookback=timedelta(days=35),
        # A day is certified once it is over: until then its quantity moves between two requests.
        created="usage.timeframe_end",
        amount="usage.quantity",
        currency="billable_metric.id",
    ),
    Stream(
        "orb",
        "event_volume",
        "/events/volume",
        "volume",
        "How many events Orb ingested, per hour of event time, over the whole account.",
        key="timeframe_start",
        lookback=timedelta(days=35),
        # Certified hour by hour, once the hour is over: two hours that are wrong by as much in opposite ways add up to a day.
        created="timeframe_end",
        amount="count",
        currency="timeframe_start",
    ),
    Stream(
        "orb",
        "events",
        "/events/search",
        "lookup",
        "Events as Orb has them: those of the product on days whose usage differs.",
        created="timestamp",
        asked_by="intermediate.int_usage__events_to_look_up",
    ),
    Stream(
        "orb",
        "backfills",
        "/events/backfills",
        "whole",
        "Backfills of events, reverted ones too.",
        created="created_at",
    ),
)

_APP = (
    Stream("app", "customers", "customers", "snapshot", "The product's customers: the identity the rest maps to."),
    Stream(
        "app",
        "usage_events",
        "usage_events",
        "horizon",
        "One row per inference request, as the product recorded it.",
        key="event_id",
        freshness=timedelta(hours=2),
        created="occurred_at",
    ),
    Stream("app", "price_book", "price_book", "snapshot", "What each product costs, by currency and date."),
    Stream("app", "contracts", "contracts", "snapshot", "Commitments, discounts, taxes and custom prices."),
    Stream(
        "app",
        "wallet_transactions",
        "wallet_transactions",
        "horizon",
        "What the product's own wallet did: top-ups, grants, usage, expiry, refunds.",
        created="occurred_at",
    ),
    Stream(
        "app",
        "exchange_rates",
        "exchange_rates",
        "snapshot",
        "Reference exchange rates, by currency, day and publisher.",
    ),
    Stream(
        "app", "serving_costs", "serving_costs", "snapshot", "What serving a unit costs, by product, model and date."
    ),
)

_BANK = (
    Stream(
        "bank",
        "statement_lines",
        "*.csv *.xml *.sta *.mt940 *.940",
        "files",
        "Lines of the bank's statements.",
        key="line_id",
        freshness=timedelta(hours=30),
        created="booked_on",
        amount="amount",
    ),
)

IGNORED_EVENTS: Mapping[str, tuple[str, ...]] = {
    "an invoice that is only coming: it has no id": ("invoice.upcoming",),
    "no model reads what other objects hold of it": (
        "coupon.",
        "customer.source.",
        "customer.tax_id.",
        "mandate.",
        "payment_method.",
        "plan.",
        "promotion_code.",
        "quote.",
        "source.",
        "subscription_schedule.",
        "tax_rate.",
    ),
    "what it moves is read as balance transactions, which have no events": (
        "balance.",
        "reserve.",
        "topup.",
        "transfer.",
    ),
    "a payment comes of it only as a payment intent and a charge, which are streams": (
        "checkout.",
        "payment_link.",
        "radar.",
        "review.",
        "setup_intent.",
    ),
    "usage is metered and credits are kept in Orb": ("billing.", "entitlements."),
    "accounts that are connected to ours (Connect)": ("account.", "application_fee.", "capability.", "person."),
    "settings, files and tests of the account itself": (
        "balance_settings.",
        "billing_portal.",
        "file.",
        "reporting.",
        "sigma.",
        "tax.",
        "test_helpers.",
    ),
    "money held at Stripe for others, which is no stream": (
        "cash_balance.",
        "customer_cash_balance_transaction.",
        "financial_connections.",
        "treasury.",
    ),
    "other products": ("climate.", "identity.", "issuing_", "terminal."),
}
"""By reason, how those of Stripe's event types begin that no stream reads."""

STREAMS: tuple[Stream, ...] = (*_APP, *_STRIPE, *_ORB, *_BANK)

REJECTED = Stream(
    "quarantine",
    "rejected",
    "",
    "rejected",
    "What a source sent and nobody could understand: the stream, the reason and the bytes as they came.",
)
CERTIFICATES = Stream(
    "tieout",
    "certificates",
    "",
    "certificates",
    "What each source said it has, per stream, day and measure, against what had landed.",
)
DIFFERENCES = Stream(
    "tieout",
    "differences",
    "",
    "certificates",
    "The objects behind the certificates' differences, one by one.",
)
BREAK_SIGHTINGS = Stream(
    "tieout",
    "break_sightings",
    "",
    "register",
    "Every difference on every day on which it was seen, each change of it, and when it was gone.",
    created=None,
    asked_by="reconciliation.rec_sightings",
)
EVIDENCE: tuple[Stream, ...] = (REJECTED, CERTIFICATES, DIFFERENCES, BREAK_SIGHTINGS)
"""What Tieout says of its own work. It lands as everything else does, so that the lake alone brings it back."""


def stream_named(name: str) -> Stream:
    """The stream called `source.name`. Raises KeyError that lists the names there are."""
    for stream in (*STREAMS, *EVIDENCE):
        if str(stream) == name:
            return stream
    raise KeyError(f"no stream is called {name}; there are {', '.join(map(str, STREAMS))}")
