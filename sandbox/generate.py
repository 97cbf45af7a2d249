"""Arguments in, dataset directory out: the same arguments give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sandbox import defects as catalogue
from sandbox.books import books
from sandbox.calendar import Calendar, instant, iso
from sandbox.dataset import Writer
from sandbox.keyed import Keys
from sandbox.views import app, bank, orb, stripe
from sandbox.world import bill, collect, meter


def generate(
    out: Path,
    *,
    seed: int = 7,
    customers: int = 80,
    months: int = 4,
    events: int = 300_000,
    defects: str | Sequence[str] = "all",
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes the dataset of a world to `out`, replacing a dataset that is there.

    ValueError: an unknown defect, a world too small for what is asked, or `out` holds something else.
    """
    wanted = catalogue.codes(defects)
    with Writer(out) as writer:
        progress(f"{customers} customers use the product {events:,} times over {months} months")
        keys, calendar = Keys(seed), Calendar(months)
        metered, in_orb, answers = catalogue.ingest(meter(keys, calendar, customers, events), wanted)

        progress("Orb rates and invoices, Stripe collects and pays out")
        agreed = bill(metered, in_orb)
        issued, misrated = catalogue.misrate(agreed, wanted)
        world = collect(issued)
        views = catalogue.Views(world, stripe.build(world), orb.build(world), app.build(world), bank.deposits(world))

        progress("Defects are planted" if wanted else "No defects are planted")
        answers += misrated
        answers += catalogue.plant(views, wanted, answers)
        views.stripe["events"] = stripe.feed(keys, calendar, views.stripe)
        statements = bank.statements(keys, calendar, views.deposits)

        progress(f"The dataset is written to {out}")
        for resource, objects in views.stripe.items():
            writer.objects(f"stripe/{resource}", objects)
        for resource, objects in views.orb.items():
            writer.objects(f"orb/{resource}", objects)
        writer.text("orb/events", orb.event_lines(world))
        for name, table in app.tables(world, views.app).items():
            writer.table(name, table)
        for account_id, lines in statements.items():
            writer.statement(account_id, lines)
        writer.objects("answer_key", (answer.as_object() for answer in answers))
        true_books = books(world, agreed.invoices, views.besides)
        writer.objects("answer_key_books", (posting.as_object() for posting in true_books))
        arguments = {"seed": seed, "customers": customers, "months": months, "events": events, "defects": wanted}
        writer.header(iso(instant(calendar.now)), arguments)
