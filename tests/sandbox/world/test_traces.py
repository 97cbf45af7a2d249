"""The usage has the shape of the real traces."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sandbox import usage
from sandbox.calendar import Calendar
from sandbox.keyed import Keys
from sandbox.traces import PROBABILITIES, QUANTILES, sample
from sandbox.world import meter
from tests.sandbox.world.conftest import shared

COLUMNS = sorted(QUANTILES)


def trace(name: str, column: str) -> NDArray[np.int64]:
    path: Path = shared(f"data/azure_llm_{name}.csv")
    with path.open() as file:
        rows = list(csv.DictReader(file))
    if column == "gap_us":
        moments = np.sort(np.array([row["TIMESTAMP"] for row in rows], dtype="datetime64[us]")).astype(np.int64)
        return np.maximum(np.diff(moments), 1)
    field = {"input_tokens": "ContextTokens", "output_tokens": "GeneratedTokens"}[column]
    return np.array([int(row[field]) for row in rows])


def distance(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Kolmogorov and Smirnov's: the largest difference of the two empirical distribution functions."""
    every = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(values), every, side="right") / len(values) for values in (one, other)]
    return float(np.abs(shares[0] - shares[1]).max())


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_the_tables_are_the_traces_quantiles(name: str, column: str) -> None:
    quantiles = np.quantile(trace(name, column), PROBABILITIES, method="inverted_cdf").astype(int)
    assert tuple(quantiles.tolist()) == QUANTILES[name, column]


@pytest.mark.parametrize(("name", "column"), COLUMNS)
def test_samples_follow_the_trace(name: str, column: str) -> None:
    drawn = sample(name, column, np.random.default_rng(1), 50_000)
    assert distance(drawn, trace(name, column)) < 0.025


def test_another_traces_samples_would_be_noticed() -> None:
    drawn = sample("code", "output_tokens", np.random.default_rng(1), 50_000)
    assert distance(drawn, trace("conv", "output_tokens")) > 0.4


@pytest.mark.parametrize("name", ["code", "conv"])
def test_a_worlds_requests_follow_the_trace_in_tokens_and_burstiness(name: str) -> None:
    world = meter(Keys(7), Calendar(4), 40, 60_000)
    events = world.events
    customers = [customer.position for customer in world.company if customer.trace == name]
    text = np.isin(events.customer, customers) & events.rows_of("text_generation")
    for product, column in (("text_input", "input_tokens"), ("text_output", "output_tokens")):
        assert distance(events.quantities[product][text] // usage.MICRO, trace(name, column)) < 0.03
    # Within an hour's quiet a session has ended: its first request says nothing about gaps.
    order = np.lexsort((events.occurred_us[text], events.customer[text]))
    gaps = np.diff(events.occurred_us[text][order])
    within = (np.diff(events.customer[text][order]) == 0) & (gaps > 0) & (gaps < 240 * usage.MICRO)
    assert distance(gaps[within], trace(name, "gap_us")) < 0.08
