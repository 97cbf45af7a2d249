"""What the company sells: products, the models behind them, list prices, custom prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.keyed import Keys

CURRENCIES = ("USD", "EUR", "JPY")
_RATE = {"USD": Decimal(1), "EUR": Decimal("0.9"), "JPY": Decimal(150)}


@dataclass(frozen=True)
class Product:
    """`column`: the column of the product's usage events that is summed; empty counts events."""

    code: str
    name: str
    metric: str | None
    unit: str
    event_name: str
    column: str


PRODUCTS = (
    Product("text_input", "Text input", "input_tokens", "token", "text_generation", "input_tokens"),
    Product("text_output", "Text output", "output_tokens", "token", "text_generation", "output_tokens"),
    Product("text_requests", "Text requests", "requests", "request", "text_generation", ""),
    Product("image_generation", "Image generation", "megapixels", "megapixel", "image_generation", "megapixels"),
    Product("video_generation", "Video generation", "video_seconds", "second", "video_generation", "video_seconds"),
    Product("gpu_compute", "GPU compute", "gpu_seconds", "second", "gpu_job", "gpu_seconds"),
    Product("platform_fee", "Platform fee", None, "month", "", ""),
)
METERED = PRODUCTS[:-1]
PLATFORM_FEE = PRODUCTS[-1]
EVENT_NAMES = ("text_generation", "image_generation", "video_generation", "gpu_job")
MODELS: dict[str, tuple[str, ...]] = {
    "text_generation": ("aria-small", "aria-large", "aria-code"),
    "image_generation": ("lumen-1", "lumen-1-pro", "lumen-2", "lumen-lab"),
    "video_generation": ("reel-1", "reel-1-hd"),
    "gpu_job": ("a100", "h100"),
}


@dataclass(frozen=True)
class Price:
    """A price of Orb: `config` is Orb's configuration of the model type. `purpose`: usage, fixed_fee or minimum."""

    id: str
    external_id: str
    product: Product
    currency: str
    model_type: str
    config: dict[str, Any]
    purpose: str = "usage"


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
_OUTPUT_STEPS = ((100_000, "0.00006"), (1_000_000, "0.000054"), (None, "0.000048"))


def list_prices(keys: Keys, currency: str) -> dict[str, Price]:
    """The pay-as-you-go prices of a currency, by product code."""
    one = Decimal(1)
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "text_input": ("package", {"package_amount": _amount("15", currency), "package_size": 1_000_000}),
        "text_output": ("tiered", _tiers(_OUTPUT_STEPS, currency, one)),
        "text_requests": ("unit", {"unit_amount": _amount("0.002", currency)}),
        "image_generation": ("matrix", _matrix(_IMAGE_AMOUNTS, "0.08", currency, one)),
        "video_generation": ("bulk", _bulk(((100_000, "0.4"), (None, "0.32")), currency, one)),
        "gpu_compute": ("unit", {"unit_amount": _amount("0.00125", currency)}),
    }
    return {
        product.code: _price(keys, f"list_{currency.lower()}_{product.code}", product, currency, *models[product.code])
        for product in METERED
    }


def platform_fee_price(keys: Keys, currency: str) -> Price:
    """The platform fee that the enterprise plan of a currency names; every contract overrides it."""
    config = {"unit_amount": _amount("500", currency)}
    return _price(keys, f"list_{currency.lower()}_{PLATFORM_FEE.code}", PLATFORM_FEE, currency, "unit", config)


def contract_prices(keys: Keys, contract_id: str, number: int, currency: str, fee_usd: str) -> dict[str, Price]:
    """The custom prices of a contract, by product code; `number` varies discount steps and models between contracts.

    Besides the products there is `minimum`: the line that carries the true-up to the monthly commitment.
    """
    factor = Decimal("0.92") - Decimal("0.04") * (number % 5)
    matrix = ("matrix", _matrix(_IMAGE_AMOUNTS, "0.08", currency, factor))
    image_unit = ("unit", {"unit_amount": _amount("0.08", currency, factor)})
    video_tiers = ("tiered", _tiers(((1_000, "0.4"), (None, "0.34")), currency, factor))
    video_bulk = ("bulk", _bulk(((500, "0.4"), (2_000, "0.36"), (None, "0.3")), currency, factor))
    gpu_tiers = ("tiered", _tiers(((50_000, "0.00125"), (500_000, "0.0011"), (None, "0.001")), currency, factor))
    gpu_unit = ("unit", {"unit_amount": _amount("0.0012", currency, factor)})
    input_steps = ((1_000_000, "0.000015"), (10_000_000, "0.000012"), (None, "0.00001"))
    models: dict[str, tuple[str, dict[str, Any]]] = {
        "text_input": ("tiered", _tiers(input_steps, currency, factor)),
        "text_output": ("tiered", _tiers(_OUTPUT_STEPS, currency, factor)),
        "text_requests": ("unit", {"unit_amount": _amount("0.0018", currency, factor)}),
        "image_generation": matrix if number % 2 else image_unit,
        "video_generation": video_bulk if number % 3 else video_tiers,
        "gpu_compute": gpu_tiers if number % 2 == 0 else gpu_unit,
        "platform_fee": ("unit", {"unit_amount": _amount(fee_usd, currency)}),
    }
    prices = {
        product.code: _price(keys, f"{contract_id}_{product.code}", product, currency, *models[product.code])
        for product in PRODUCTS
    }
    minimum = _price(keys, f"{contract_id}_minimum", PLATFORM_FEE, currency, "unit", {"unit_amount": "0"}, "minimum")
    return {**prices, "minimum": minimum}


def money(usd: str, currency: str) -> Decimal:
    """A round amount of about so many dollars, in major units of a currency."""
    return Decimal(usd) * _RATE[currency]


def _price(
    keys: Keys, external_id: str, product: Product, currency: str, model: str, config: dict[str, Any], purpose: str = ""
) -> Price:
    kind = purpose or ("usage" if product.metric else "fixed_fee")
    return Price(keys.id("", f"price/{external_id}", 16), external_id, product, currency, model, config, kind)
