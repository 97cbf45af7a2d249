"""Two implementations of rating agree to the last digit: the models' SQL and the sandbox's Python, on any price."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sandbox.pricing import MINOR_DIGITS, Terms, adjustments, rate, to_major
from tests.dbt_project.conftest import Dbt

MODELS = ("unit", "package", "tiered", "tiered_package", "bulk", "matrix", "threshold_total_amount")
PARTS = ("prices", "price_steps", *MODELS, "priced_lines")
AUGUST, SEPTEMBER = date(2026, 8, 1), date(2026, 9, 1)

# Each example is many cases in one statement; shrinking them would take minutes.
FEW_OF_MANY = settings(
    max_examples=8,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

# Small, so that many fall exactly on a bound.
quantities = st.one_of(
    st.integers(0, 60).map(Decimal),
    st.integers(0, 10**13).map(lambda micro: Decimal(micro).scaleb(-6)),
)
amounts = st.integers(0, 10**9).map(lambda nano: format(Decimal(nano).scaleb(-9), "f"))
bounds = st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True).map(lambda found: [0, *sorted(found)])


@st.composite
def prices(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    model = draw(st.sampled_from([*MODELS, "package_with_allocation"]))
    size = draw(st.integers(1, 50))
    steps = draw(bounds)
    costs = [draw(amounts) for _ in steps]
    ends = [*steps[1:], None]
    if model == "unit":
        return model, {"unit_amount": costs[0]}
    if model == "package":
        return model, {"package_amount": costs[0], "package_size": size}
    if model == "package_with_allocation":
        return model, {"package_amount": costs[0], "package_size": str(size), "allocation": str(steps[1])}
    if model == "tiered":
        tiers = [
            {"first_unit": step, "last_unit": end, "unit_amount": cost}
            for step, end, cost in zip(steps, ends, costs, strict=True)
        ]
        return model, {"tiers": tiers}
    if model == "bulk":
        return model, {
            "tiers": [{"maximum_units": end, "unit_amount": cost} for end, cost in zip(ends, costs, strict=True)]
        }
    if model == "tiered_package":
        tiers = [
            {"tier_lower_bound": str(step * size), "per_unit": cost} for step, cost in zip(steps, costs, strict=True)
        ]
        return model, {"package_size": str(size), "tiers": tiers}
    if model == "threshold_total_amount":
        table = [{"threshold": str(step), "total_amount": cost} for step, cost in zip(steps, costs, strict=True)]
        return model, {"consumption_table": table}
    cells = [{"dimension_values": [name], "unit_amount": cost} for name, cost in zip("abcde", costs, strict=False)]
    return "matrix", {"dimensions": ["model"], "default_unit_amount": draw(amounts), "matrix_values": cells}


EXACT = pa.decimal128(38, 18)
TABLES = {
    "intermediate.int_rating__contract_prices": {
        "price_key": pa.string(),
        "price_model": pa.string(),
        "price_config": pa.string(),
    },
    "intermediate.int_rating__orb_lines": {
        "invoice_line_id": pa.string(),
        "sub_line_items": pa.string(),
        "price_key": pa.string(),
        "price_model": pa.string(),
        "price_config": pa.string(),
    },
    "intermediate.int_rating__attempts": {
        "attempt_id": pa.string(),
        "charge_id": pa.string(),
        "attempt": pa.string(),
        "price_key": pa.string(),
        "price_model": pa.string(),
        "quantity": EXACT,
    },
    "intermediate.int_rating__charges": {
        "charge_id": pa.string(),
        "customer_id": pa.string(),
        "metric": pa.string(),
        "invoice_line_id": pa.string(),
        "currency": pa.string(),
        "period_start": pa.date32(),
        "period_end": pa.date32(),
    },
    "marts.fct_usage_daily": {
        "customer_id": pa.string(),
        "metric": pa.string(),
        "model": pa.string(),
        "quantity": pa.decimal128(38, 9),
        "usage_date": pa.date32(),
    },
    "intermediate.int_rating__subtotals": {
        "charge_id": pa.string(),
        "agreed_amount": EXACT,
        "without_usage_discount_amount": EXACT,
    },
    "intermediate.int_rating__charge_terms": {
        "charge_id": pa.string(),
        "amount_discount": EXACT,
        "percentage_discount": EXACT,
        "maximum": EXACT,
    },
}
"""What the rated models read, as far as they read it."""


@dataclass(frozen=True)
class Rating:
    """The rating models' own SQL over tables that a test fills."""

    connection: duckdb.DuckDBPyConnection

    def fill(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Replaces a table; what a row leaves out is null, and text called a document is JSON."""
        self.connection.register("filled", pa.Table.from_pylist(rows, pa.schema(TABLES[table])))
        documents = [name for name in ("price_config", "sub_line_items") if name in TABLES[table]]
        as_json = ", ".join(f"cast({name} as json) as {name}" for name in documents)
        star = f"* replace ({as_json})" if documents else "*"
        self.connection.execute(f"create or replace table {table} as select {star} from filled")

    def amounts(self, query: str) -> dict[str, Decimal]:
        return dict(self.connection.execute(query).fetchall())


@pytest.fixture(scope="module")
def rating(dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rating]:
    names = [f"int_rating__{part}" for part in PARTS]
    compiled = dbt.invoke("compile", "--select", *names, warehouse=dbt.target / "tieout.duckdb")
    assert compiled.success, compiled.exception
    code = {result.node.name: result.node.compiled_code for result in compiled.result.results}
    with duckdb.connect(str(tmp_path_factory.mktemp("rating") / "tieout.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'; create schema intermediate; create schema marts")
        found = Rating(connection)
        for table in TABLES:
            found.fill(table, [])
        for name in names:
            connection.execute(f"create view intermediate.{name} as {code[name]}")
        yield found


@FEW_OF_MANY
@given(
    cases=st.lists(
        st.tuples(prices(), st.dictionaries(st.sampled_from("abcdef"), quantities, max_size=3)),
        min_size=60,
        max_size=60,
    )
)
def test_any_quantity_under_any_price_costs_the_same_in_sql_and_python(
    rating: Rating, cases: list[tuple[tuple[str, dict[str, Any]], dict[str, Decimal]]]
) -> None:
    expected = {}
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for number, ((model, config), by_model) in enumerate(cases):
        key, quantity = f"case_{number}", sum(by_model.values(), Decimal(0))
        expected[key] = rate(model, config, quantity, by_model)
        price = {"price_key": key, "price_model": model}
        rows["intermediate.int_rating__contract_prices"].append({**price, "price_config": json.dumps(config)})
        rows["intermediate.int_rating__attempts"].append(
            {"attempt_id": key, "charge_id": key, **price, "quantity": quantity}
        )
        charge = {"charge_id": key, "customer_id": key, "metric": "m", "period_start": AUGUST, "period_end": SEPTEMBER}
        rows["intermediate.int_rating__charges"].append(charge)
        rows["marts.fct_usage_daily"] += [
            {"customer_id": key, "metric": "m", "model": name, "quantity": part, "usage_date": AUGUST}
            for name, part in by_model.items()
        ]
    for table in rows:
        rating.fill(table, rows[table])
    found = rating.amounts(
        " union all ".join(
            f"select attempt_id, amount from intermediate.int_rating__{model} "
            f"where attempt_id in (select attempt_id from intermediate.int_rating__attempts where price_model like '{model}%')"
            for model in MODELS
        )
    )
    # A quantity that reaches no step has no row.
    assert {key: found.get(key, Decimal(0)) for key in expected} == expected


minor_units = st.integers(0, 10**9)
percents = st.integers(0, 100_000_000).map(lambda micro: Decimal(micro).scaleb(-6))


@FEW_OF_MANY
@given(
    cases=st.lists(
        st.tuples(
            st.sampled_from(sorted(MINOR_DIGITS)),
            minor_units,
            minor_units,
            minor_units,
            percents,
            st.none() | minor_units,
        ),
        min_size=60,
        max_size=60,
    )
)
def test_any_terms_take_the_same_off_a_line_in_sql_and_python(
    rating: Rating, cases: list[tuple[str, int, int, int, Decimal, int | None]]
) -> None:
    expected = {}
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for number, (currency, gross, free, off, percent, most) in enumerate(cases):
        key, discounted = f"case_{number}", max(gross - free, 0)
        maximum = None if most is None else to_major(most, currency)
        terms = Terms(Decimal(0), to_major(off, currency), (percent,), maximum)
        taken = sum(amount for _, amount in adjustments(gross, discounted, terms, currency))
        expected[key] = to_major(gross - taken, currency)
        subtotals = {
            "agreed_amount": to_major(discounted, currency),
            "without_usage_discount_amount": to_major(gross, currency),
        }
        rows["intermediate.int_rating__subtotals"].append({"charge_id": key, **subtotals})
        rows["intermediate.int_rating__charges"].append({"charge_id": key, "currency": currency})
        discounts = {"amount_discount": to_major(off, currency), "percentage_discount": percent, "maximum": maximum}
        rows["intermediate.int_rating__charge_terms"].append({"charge_id": key, **discounts})
    for table in rows:
        rating.fill(table, rows[table])
    assert rating.amounts("select charge_id, amount from intermediate.int_rating__priced_lines") == expected
