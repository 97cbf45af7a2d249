"""The production warehouse for a test: a project of its own on the emulator."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from tests.emulator.proxy import Endpoint

_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Project:
    """A project that nothing else uses. `environment` points the product at it."""

    endpoint: Endpoint
    name: str = field(default_factory=lambda: f"project{next(_NUMBERS)}")

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "DBT_TARGET": "bigquery",
            "BIGQUERY_PROJECT": self.name,
            "BIGQUERY_METHOD": "oauth-secrets",
            "BIGQUERY_TOKEN": "emulator",
            "BIGQUERY_ENDPOINT": self.endpoint.url,
        }

    @property
    def client(self) -> bigquery.Client:
        credentials: Any = AnonymousCredentials  # it has no annotations
        return bigquery.Client(
            self.name, credentials(), location="US", client_options={"api_endpoint": self.endpoint.url}
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.client as client:
            return [tuple(row) for row in client.query(query).result()]
