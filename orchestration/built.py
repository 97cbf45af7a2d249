"""Where what dbt has built is read: the warehouse of the settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ingestion.settings import Settings

if TYPE_CHECKING:
    from ingestion.warehouses.bigquery import Built


def built(settings: Settings) -> Path | Built:
    """The DuckDB file, or the tables of BigQuery."""
    if settings.bigquery is None:
        return settings.warehouse
    # Google's client takes a second to import, which a command on DuckDB need not spend.
    from ingestion.warehouses.bigquery import Built

    return Built(settings.bigquery)
