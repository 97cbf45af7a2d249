"""One asset a stream. Its key is the raw table and the dbt source, so lineage needs no glue."""

from __future__ import annotations

import dagster as dg

from ingestion.certificate import certify, land_certificates
from ingestion.lake import LakeError
from ingestion.payload import SourceRefused
from ingestion.settings import read_settings
from ingestion.streams import CERTIFICATES, DIFFERENCES, REJECTED, STREAMS, Stream, stream_named
from ingestion.sync import SyncResult, sync
from ingestion.warehouses.base import WarehouseError

_KIND = {"stripe": "stripe", "orb": "orb", "app": "postgres", "bank": "csv"}
# The clients retry single requests themselves; this is for a source that is down for longer than they wait.
_RETRY = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@dg.definitions
def defs() -> dg.Definitions:
    """An asset for every stream of `ingestion.streams`, and the tables that all of them land their evidence in."""
    evidence = [_evidence(DIFFERENCES), _evidence(REJECTED)]
    return dg.Definitions(assets=[*map(_asset, STREAMS), _certificates(), *evidence])


def _certificates() -> dg.AssetsDefinition:
    """Where a stream failed this step is left out, as dbt is: what the others certified then lands with the next run."""

    @dg.multi_asset(name="certificates", specs=[_evidence(CERTIFICATES)])
    def land() -> None:
        land_certificates(read_settings())

    return land


def _evidence(stream: Stream) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=dg.AssetKey(stream.asset_key),
        # What a model asks for is read after dbt's first run, which reads the evidence.
        deps=[dg.AssetKey(each.asset_key) for each in STREAMS if each.asked_by is None],
        description=stream.description,
        group_name="evidence",
        kinds={"parquet"},
    )


def _asset(stream: Stream) -> dg.AssetsDefinition:
    key = dg.AssetKey(stream.asset_key)

    @dg.asset(
        key=key,
        deps=[
            *(dg.AssetKey(stream_named(name).asset_key) for name in stream.after),
            *([dg.AssetKey(stream.asked_by.split("."))] if stream.asked_by else []),
        ],
        description=stream.description,
        group_name=f"raw_{stream.source}",
        kinds={_KIND[stream.source], "parquet"},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=stream.freshness),
        retry_policy=_RETRY,
        pool=stream.source,
        check_specs=[
            dg.AssetCheckSpec(
                "is_complete", asset=key, description="What the source says it has is what landed, object by object."
            ),
            dg.AssetCheckSpec(
                "is_understood", asset=key, description="Nothing of this sync went to raw_quarantine.rejected."
            ),
        ],
    )
    def land() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster refuses the parameter where checks are returned
        try:
            settings = read_settings()
            result = sync(stream, settings)
            certificate = certify(result, settings)
        except (SourceRefused, LakeError, WarehouseError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(
            metadata=_metadata(result),
            check_results=[
                dg.AssetCheckResult(
                    check_name="is_complete",
                    passed=certificate.is_complete,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=str(certificate),
                    metadata={"objects": certificate.objects, "differences": len(certificate.differences)},
                ),
                dg.AssetCheckResult(
                    check_name="is_understood",
                    passed=not result.rejected,
                    severity=dg.AssetCheckSeverity.WARN,
                    description=f"{stream}: {result.rejected:,} objects were not understood; raw_quarantine.rejected has their "
                    "bytes and the reason of each.",
                    metadata={"rejected": result.rejected},
                ),
            ],
        )

    return land


def _metadata(result: SyncResult) -> dict[str, dg.MetadataValue]:
    """Numbers as numbers, so that Dagster plots them over runs."""
    return {
        "rows": dg.MetadataValue.int(result.rows),
        "bytes": dg.MetadataValue.int(result.bytes),
        "batches": dg.MetadataValue.int(len(result.batches)),
        "seconds": dg.MetadataValue.float(round(result.seconds, 3)),
        "cursor_from": dg.MetadataValue.text(result.cursor_from or "the beginning"),
        "cursor_to": dg.MetadataValue.text(result.cursor_to or "the beginning"),
        **({"remarks": dg.MetadataValue.text(" ".join(result.remarks))} if result.remarks else {}),
    }
