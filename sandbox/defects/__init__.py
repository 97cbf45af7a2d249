"""The defects that can be planted, one module a hop, and the answer key: what the register must say about each of them.

What stands between the product's events and Orb's is planted before Orb rates, and what Orb rates wrongly before anything is
collected on it, so all that the systems make of it follows. Every other class is planted into finished views. No object
carries two plants; a chain of three lies on one customer's day and the invoice of that day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.defects import banked, collected, credits, identity, invoiced, metered, rated, settled
from sandbox.defects.base import Answer, Views
from sandbox.defects.identity import INTERNAL, internal_accounts
from sandbox.defects.metered import CHAIN, ingest
from sandbox.defects.rated import misrate

__all__ = ["INTERNAL", "PLANTS", "Answer", "Views", "codes", "ingest", "misrate", "plant"]

PLANTS: dict[str, Callable[[Views, str], list[Answer]]] = {
    **credits.PLANTS,
    **invoiced.PLANTS,
    **collected.PLANTS,
    **settled.PLANTS,
    **banked.PLANTS,
    **identity.PLANTS,
}
"""In the order in which they are planted: within a hop the ones hardest to place first."""


def codes(wanted: str | Sequence[str]) -> list[str]:
    """The classes to plant: `all`, `none`, or codes in a list or a comma-separated text.

    ValueError: a code that is not a class, naming those that are.
    """
    known = [*metered.PLANTS, *rated.PLANTS, *PLANTS, INTERNAL]
    if wanted == "all":
        return known
    if wanted == "none":
        return []
    chosen = [code.strip() for code in wanted.split(",")] if isinstance(wanted, str) else list(wanted)
    unknown = [code for code in chosen if code not in known]
    if unknown:
        raise ValueError(f"defects: {', '.join(unknown)} cannot be planted; choose from {', '.join(known)}")
    return [code for code in known if code in chosen]


def plant(views: Views, wanted: Sequence[str], earlier: Sequence[Answer]) -> list[Answer]:
    """Plants these classes in the catalogue's order here, the ones hardest to place first. `earlier`: what is planted before.

    ValueError: a class finds too few objects to carry it in so small a world.
    """
    views.misrated |= invoiced.misrated(views, earlier)
    views.taken |= invoiced.misrated_whole(views, earlier)
    answers = []
    if set(CHAIN) <= set(wanted):
        late, _, dated_anew = CHAIN
        chained = next(answer for answer in earlier if answer.cause == late)
        answers.append(invoiced.invoice_of_chain(views, dated_anew, chained))
    answers += [answer for code, planted in PLANTS.items() if code in wanted for answer in planted(views, code)]
    for resource, objects in views.stripe.items():
        if objects and "created" in objects[0]:
            views.stripe[resource] = sorted(objects, key=lambda found: found["created"])
    return answers + internal_accounts(views)
