"""`python -m ingestion [stream …]`: sync and certify all streams, or those named `source.name`, without Dagster."""

from __future__ import annotations

import sys

from ingestion.certificate import certify, land_certificates
from ingestion.lake import LakeError
from ingestion.payload import SourceError
from ingestion.settings import MissingSetting, read_settings
from ingestion.streams import STREAMS, stream_named
from ingestion.sync import sync
from ingestion.warehouses.base import WarehouseError


def main(names: list[str]) -> int:
    try:
        streams = [stream_named(name) for name in names] or list(STREAMS)
        settings = read_settings()
        settings.require({stream.source for stream in streams})
    except (KeyError, MissingSetting) as error:
        sys.stderr.write(f"{error.args[0]}\n")
        return 2
    told: set[str] = set()

    def tell(sentence: str) -> None:
        # One cause can fail every stream in the same words.
        if sentence not in told:
            told.add(sentence)
            sys.stderr.write(f"{sentence}\n")

    for stream in streams:
        try:
            result = sync(stream, settings)
            certificate = certify(result, settings)
        except (SourceError, WarehouseError, LakeError) as error:
            tell(str(error))
            continue
        sys.stdout.write(f"{stream!s:32} {result.rows:>9,} new  {result.seconds:6.2f} s\n")
        for remark in result.remarks:
            sys.stderr.write(f"{remark}\n")
        if result.rejected:
            tell(f"{stream}: {result.rejected:,} objects were not understood: see raw_quarantine.rejected.")
        if not certificate.is_complete:
            tell(str(certificate))
    try:
        land_certificates(settings)
    except (WarehouseError, LakeError) as error:
        tell(str(error))
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
