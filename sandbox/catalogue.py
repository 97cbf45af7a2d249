"""What the company sells: products, the models behind them, list prices, and what a contract makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sandbox.calendar import add_months
from sandbox.keyed import Keys
from sandbox.pricing import MINOR_DIGITS, rate

CURRENCIES = ("USD", "EUR", "JPY")
_RATE = {"USD": Decimal(1), "EUR": Decimal("0.9"), "JPY": Decimal(150)}


@dataclass(frozen=True)
class Product:
    """`column`: the column of the product's usage events that is summed; empty counts events.

    `usual`: about how many units one event carries, from which contracts estimate a month.
    """

    code: str
    name: str
    metric: str | None
    unit: str
    event_name: str
    column: str
    usual: int


METERED = (
    Product("text_input", "Text input", "input_tokens", "token", "text_generation", "input_tokens", 1500),
    Product("text_output", "Text output", "output_tokens", "token", "text_generation", "output_tokens", 120),
    Product("text_requests", "Text requests", "requests", "request", "text_generation", "", 1),
    Product("image_generation", "Image generation", "megapixels", "megapixel", "image_generation", "megapixels", 4),
    Product("video_generation", "Video generation", "video_seconds", "second", "video_generation", "video_seconds", 10),
    Product("gpu_compute", "GPU compute", "gpu_seconds", "second", "gpu_job", "gpu_seconds", 900),
)
PLATFORM_FEE = Product("platform_fee", "Platform fee", None, "month", "", "", 1)
SUPPORT = Product("support", "Support plan", None, "month", "", "", 1)
PRODUCTS = (*METERED, PLATFORM_FEE, SUPPORT)
CREDIT = Product("prepaid_credit", "Prepaid credit", None, "credit", "", "", 1)
"""What a top-up buys where Orb invoices it. The price book has no such product."""
EVENT_NAMES = ("text_generation", "image_generation", "video_generation", "gpu_job")
MODELS: dict[str, tuple[str, ...]] = {
    "text_generation": ("aria-small", "aria-large", "aria-code"),
    "image_generation": ("lumen-1", "lumen-1-pro", "lumen-2", "lumen-lab"),
    "video_generation": ("reel-1", "reel-1-hd"),
    "gpu_job": ("a100", "h100"),
}


@dataclass(frozen=True)
class Cycle:
    """For how many months a price bills at once, and whether before they begin or when they are over.

    Cycles follow one another from the first of the month in which a contract begins; the first one is cut to its days.
    """

    months: int = 1
    is_in_advance: bool = False

    def begins(self, month: date, since: date) -> bool:
        """Whether a cycle of a contract since a day begins with this month."""
        return (month.year * 12 + month.month - since.year * 12 - since.month) % self.months == 0


MONTHLY = Cycle()
MONTHLY_IN_ADVANCE = Cycle(is_in_advance=True)
YEARLY_IN_ADVANCE = Cycle(months=12, is_in_advance=True)


@dataclass(frozen=True)
class Price:
    """A price of Orb: `config` is Orb's configuration of the model type.

    `purpose`: usage, fixed_fee, percent_fee (a share of the usage lines), or minimum.
    """

    id: str
    external_id: str
    product: Product
    currency: str
    model_type: str
    config: dict[str, Any]
    purpose: str
    cycle: Cycle = MONTHLY


@dataclass(frozen=True)
class Adjustment:
    """What a contract changes on one product's lines whose service begins within [start, end).

    `kind` is Orb's: usage_discount (`value` in units), amount_discount or maximum (`value` in major units).
    """

    kind: str
    product: Product
    value: Decimal
    start: date
    end: date | None


def _amount(usd: str, currency: str, factor: Decimal = Decimal(1)) -> str:
    return format((Decimal(usd) * _RATE[currency] * factor).normalize(), "f")


def _tiers(steps: Sequence[tuple[int | None, str]], currency: str, factor: Decimal) -> dict[str, Any]:
    tiers, first = [], 0
    for last, usd in steps:
        tiers.append({"first_unit": first, "last_unit": last, "unit_amount": _amount(usd, currency, factor)})
        first = last or 0
    return {"tiers": tiers}


def _bulk(steps: Sequence[tuple[int | None, str]], currency: str, factor: Decimal) -> dict[str, Any]:
    return {"tiers": [{"maximum_units": last, "unit_amount": _amount(usd, currency, factor)} for last, usd in steps]}


def _matrix(amounts: dict[str, str], default: str, currency: str, factor: Decimal) -> dict[str, Any]:
    return {
        "dimensions": ["model"],
        "default_unit_amount": _amount(default, currency, factor),
        "matrix_values": [
            {"dimension_values": [model], "unit_amount": _amount(usd, currency, factor)}
            for model, usd in amounts.items()
        ],
    }


_IMAGE_AMOUNTS = {"lumen-1": "0.05", "lumen-1-pro": "0.09", "lumen-2": "0.12"}
_OUTPUT_AMOUNTS = ("0.00006", "0.000054", "0.000048")


def list_prices(keys: Keys, currency: str) -> dict[str, Price]:
    """The pay-as-you-go prices of a currency, by product code."""
    one = Decimal(1)
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "text_input": ("package", {"package_amount": _amount("15", currency), "package_size": 1_000_000}),
        "text_output": (
            "tiered",
            _tiers(list(zip((100_000, 1_000_000, None), _OUTPUT_AMOUNTS, strict=True)), currency, one),
        ),
        "text_requests": ("unit", {"unit_amount": _amount("0.002", currency)}),
        "image_generation": ("matrix", _matrix(_IMAGE_AMOUNTS, "0.08", currency, one)),
        "video_generation": ("bulk", _bulk(((100_000, "0.4"), (None, "0.32")), currency, one)),
        "gpu_compute": ("unit", {"unit_amount": _amount("0.00125", currency)}),
    }
    return {
        product.code: _price(keys, f"list_{currency.lower()}_{product.code}", product, currency, *models[product.code])
        for product in METERED
    }


def fee_prices(keys: Keys, currency: str) -> list[Price]:
    """The fees that only contracts agree on, at list price: platform fee and support plan."""
    return [
        _price(keys, f"list_{currency.lower()}_{product.code}", product, currency, model, config)
        for product, model, config in (
            (PLATFORM_FEE, "unit", {"unit_amount": _amount("500", currency)}),
            (SUPPORT, "percent", {"percent": Decimal("0.1")}),
        )
    ]


def contract_prices(
    keys: Keys, contract_id: str, number: int, currency: str, fee_usd: str, month: Mapping[str, Decimal]
) -> dict[str, Price]:
    """The custom prices of a contract, by product code; `number` varies discount steps and models between contracts.

    `month`: what the customer is expected to use, by product code; steps lie below, around and above it. Besides the
    products there is `minimum`: the line that carries the true-up to the monthly commitment.
    """
    factor = Decimal("0.92") - Decimal("0.04") * (number % 5)
    variant = number % 3
    cycle = fee_cycle(number)
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "text_input": _text_input(number, month["text_input"], currency, factor),
        "text_output": ("tiered", _tiers(_steps(month["text_output"], *_OUTPUT_AMOUNTS), currency, factor)),
        "text_requests": _text_requests(number, month["text_requests"], currency, factor),
        "image_generation": ("matrix", _matrix(_IMAGE_AMOUNTS, "0.08", currency, factor))
        if number % 2
        else ("unit", {"unit_amount": _amount("0.08", currency, factor)}),
        "video_generation": _video(variant, month["video_generation"], currency, factor),
        "gpu_compute": ("tiered", _tiers(_steps(month["gpu_compute"], "0.00125", "0.0011", "0.001"), currency, factor))
        if number % 2 == 0
        else ("unit", {"unit_amount": _amount("0.0012", currency, factor)}),
        "platform_fee": ("unit", {"unit_amount": _amount(fee_usd, currency, Decimal(cycle.months)), "prorated": True}),
    }
    if number % 2 == 0:
        bounds = {"minimum_amount": _amount("2", currency), "maximum_amount": _amount("2500", currency)}
        models["support"] = ("percent", {"percent": Decimal("0.035"), **bounds})
    prices = {
        product.code: _price(keys, f"{contract_id}_{product.code}", product, currency, *models[product.code])
        for product in PRODUCTS
        if product.code in models
    }
    fee = replace(prices["platform_fee"], cycle=cycle)
    minimum = _price(keys, f"{contract_id}_minimum", PLATFORM_FEE, currency, "unit", {"unit_amount": "0"}, "minimum")
    return {**prices, "platform_fee": fee, "minimum": minimum}


def fee_cycle(number: int) -> Cycle:
    """When a contract pays its platform fee: half of them when the month is over, the others ahead, by month or by year."""
    return {0: MONTHLY_IN_ADVANCE, 1: YEARLY_IN_ADVANCE}.get(number % 4, MONTHLY)


def contract_adjustments(
    number: int, currency: str, prices: Mapping[str, Price], month: Mapping[str, Decimal], start: date
) -> tuple[Adjustment, ...]:
    """What a contract adjusts besides its prices, by `number`: free units, a discount for the first month, a cap."""
    text_input, text_output = prices["text_input"], prices["text_output"]
    adjustments = []
    if number % 2:
        free = _round(month["text_output"] / 10)
        adjustments.append(Adjustment("usage_discount", text_output.product, free, start, None))
    if number % 3 == 0:
        quarter = _agreed(_usual_cost(text_output, month) / 4, currency)
        adjustments.append(Adjustment("amount_discount", text_output.product, quarter, start, add_months(start, 1)))
    else:
        third = _agreed(_usual_cost(text_input, month) / 3, currency)
        adjustments.append(Adjustment("maximum", text_input.product, third, start, None))
    return tuple(adjustments)


def _usual_cost(price: Price, month: Mapping[str, Decimal]) -> Decimal:
    return rate(price.model_type, price.config, month[price.product.code], {})


def _agreed(amount: Decimal, currency: str) -> Decimal:
    """An amount of money up to one significant digit and the currency's smallest unit."""
    minor = Decimal(1).scaleb(-MINOR_DIGITS[currency])
    return max(_round(amount / minor), Decimal(1)) * minor


def _text_input(number: int, usual: Decimal, currency: str, factor: Decimal) -> tuple[str, dict[str, Any]]:
    if number % 2:
        return "tiered", _tiers(_steps(usual, "0.000015", "0.000012", "0.00001"), currency, factor)
    # Bounds are multiples of the package, or Orb refuses the price.
    bounds = [0, *(-(-bound // 1000) * 1000 for bound in _bounds(usual))]
    tiers = [
        {"tier_lower_bound": str(bound), "per_unit": _amount(usd, currency, factor)}
        for bound, usd in zip(bounds, ("0.015", "0.012", "0.01"), strict=True)
    ]
    return "tiered_package", {"package_size": "1000", "tiers": tiers}


def _text_requests(number: int, usual: Decimal, currency: str, factor: Decimal) -> tuple[str, dict[str, Any]]:
    if number % 4:
        ten = {"package_amount": _amount("0.018", currency, factor), "package_size": "10"}
        return "package_with_allocation", {**ten, "allocation": str(_round(usual / 3))}
    return "unit", {"unit_amount": _amount("0.0018", currency, factor)}


def _video(variant: int, usual: Decimal, currency: str, factor: Decimal) -> tuple[str, dict[str, Any]]:
    if variant == 0:
        totals = zip((0, *_bounds(usual)), (Decimal("0.2"), Decimal("0.35"), Decimal("0.5")), strict=True)
        table = [
            {"threshold": str(above), "total_amount": _amount(str(_round(usual * share)), currency, factor)}
            for above, share in totals
        ]
        return "threshold_total_amount", {"consumption_table": table}
    steps = _steps(usual, "0.4", "0.36", "0.3")
    return ("bulk", _bulk(steps, currency, factor)) if variant == 1 else ("tiered", _tiers(steps, currency, factor))


def _bounds(usual: Decimal) -> tuple[int, int]:
    """Where a price has its steps, so that a usual month fills the first two and begins the third."""
    low = int(_round(usual * Decimal("0.3")))
    return low, max(int(_round(usual * Decimal("0.8"))), low + 1)


def _steps(usual: Decimal, *usd: str) -> list[tuple[int | None, str]]:
    return list(zip((*_bounds(usual), None), usd, strict=True))


def _round(amount: Decimal) -> Decimal:
    """Up to one significant digit and a whole number: figures that people agree on."""
    digit = Decimal(1).scaleb(max(amount.adjusted(), 0))
    return Decimal(max(int((amount / digit).to_integral_value(ROUND_CEILING) * digit), 1))


def money(usd: str, currency: str) -> Decimal:
    """A round amount of about so many dollars, in major units of a currency."""
    return Decimal(usd) * _RATE[currency]


def _price(
    keys: Keys, external_id: str, product: Product, currency: str, model: str, config: dict[str, Any], purpose: str = ""
) -> Price:
    kind = purpose or ("usage" if product.metric else "percent_fee" if model == "percent" else "fixed_fee")
    return Price(keys.id("", f"price/{external_id}", 16), external_id, product, currency, model, config, kind)
