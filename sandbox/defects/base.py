"""What every plant works with: the finished views, the answer key's line, and how carriers are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

from sandbox.cash import Cash
from sandbox.keyed import Keys
from sandbox.pricing import to_major
from sandbox.views import Object
from sandbox.views.bank import Deposit
from sandbox.world import World


@dataclass(frozen=True)
class Answer:
    """One line of the answer key. Deposits stand for their statement lines' ids, which only the statement gives them."""

    cause: str
    comparison: str | None
    status: str
    match_key: str | Deposit
    customer_id: str | None
    period: str | None
    currency: str
    left_ref: str | None
    right_ref: str | Deposit | tuple[Deposit, ...] | None
    difference: Decimal

    def as_object(self) -> Object:
        """The line as it is written. The statements must have been made."""
        return {
            "cause": self.cause,
            "comparison": self.comparison,
            "status": self.status,
            "match_key": _ref(self.match_key),
            "customer_id": self.customer_id,
            "period": self.period,
            "currency": self.currency,
            "left_ref": self.left_ref,
            "right_ref": _ref(self.right_ref),
            "difference": format(self.difference, "f"),
        }


@dataclass
class Views:
    """The finished views that defects are planted into.

    `taken`: ids of objects that carry a plant; `touched`: customers that such objects belong to; `misrated`: Stripe's ids of
    invoices that Orb rated wrongly; `besides`: what truly happens to money where a plant makes something happen.
    """

    world: World
    stripe: dict[str, list[Object]]
    orb: dict[str, list[Object]]
    app: dict[str, list[Object]]
    deposits: list[Deposit]
    taken: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    misrated: set[str] = field(default_factory=set)
    besides: Cash = field(default_factory=lambda: Cash([], [], [], [], []))

    @property
    def keys(self) -> Keys:
        return self.world.keys

    @property
    def times(self) -> int:
        """How often each class is planted."""
        return times(len(self.world.company), 2)


def _ref(value: str | Deposit | tuple[Deposit, ...] | None) -> str | None:
    if isinstance(value, tuple):
        return ",".join(deposit.ref for deposit in value)
    return value.ref if isinstance(value, Deposit) else value


def month(day: date) -> str:
    return f"{day:%Y-%m}"


def times(customers: int, usual: int) -> int:
    return usual if customers >= 30 else 1


@dataclass(frozen=True)
class Carrier:
    """An object that a plant may go on, with whom and which currency it concerns."""

    id: str
    customer_id: str
    currency: str


class Ground(Protocol):
    """What plants stand in: which objects carry one, and whose they are."""

    taken: set[str]
    touched: set[str]

    @property
    def keys(self) -> Keys: ...

    @property
    def times(self) -> int: ...


def choose(views: Ground, code: str, what: str, carriers: Iterable[Carrier], count: int | None = None) -> list[Carrier]:
    """`count` untaken carriers, in different currencies and of customers not touched before as far as that goes."""
    count = count or views.times
    free = [carrier for carrier in carriers if carrier.id not in views.taken]
    if len(free) < count:
        raise ValueError(
            f"{code}: needs {count} {what}, the world has {len(free)} free; ask for more customers or months"
        )
    order = views.keys.rng(f"defects/{code}").permutation(len(free))
    left = [free[int(index)] for index in order]
    chosen: list[Carrier] = []
    while len(chosen) < count:
        used = {carrier.currency for carrier in chosen}
        best = min(left, key=lambda carrier: (carrier.currency in used) + (carrier.customer_id in views.touched))
        left.remove(best)
        chosen.append(best)
        views.touched.add(best.customer_id)
    views.taken |= {carrier.id for carrier in chosen}
    return chosen


def find(objects: Iterable[Object], object_id: str) -> Object:
    return next(found for found in objects if found["id"] == object_id)


def app_id(views: Views, stripe_customer_id: str) -> str:
    return next(c.id for c in views.world.company if c.stripe_customer_id == stripe_customer_id)


def excluded(code: str, object_id: str, customer_id: str | None, currency: str, minor: int) -> Answer:
    amount = to_major(minor, currency)
    return Answer(code, None, "excluded", object_id, customer_id, None, currency, None, None, amount)
