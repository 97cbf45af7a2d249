"""The register's history: what the comparisons have found is landed in the lake after them."""

from __future__ import annotations

import dagster as dg

from ingestion.lake import LakeError
from ingestion.payload import SourceError
from ingestion.settings import read_settings
from ingestion.streams import BREAK_SIGHTINGS
from ingestion.sync import sync
from ingestion.warehouses.base import WarehouseError

REGISTER = dg.AssetKey(["reconciliation", "register"])


# Its key is not that of `raw_tieout.break_sightings`, which `fct_breaks` reads: the history that a build sees is that of the
# runs before it, and a build that waited for its own would run dbt once more.
@dg.asset(
    key=REGISTER,
    deps=[dg.AssetKey(["reconciliation", "rec_sightings"])],
    description="Lands every difference that is new, changed, seen on another day or gone, for `fct_breaks` to tell since when.",
    group_name="evidence",
    kinds={"parquet"},
)
def register() -> dg.MaterializeResult:  # type: ignore[type-arg]
    try:
        result = sync(BREAK_SIGHTINGS, read_settings())
    except (SourceError, LakeError, WarehouseError) as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    return dg.MaterializeResult(metadata={"rows": dg.MetadataValue.int(result.rows)})
