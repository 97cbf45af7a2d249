"""Immutable Parquet batches: the evidence. The warehouse can be rebuilt from here alone.

A batch is one file `<lake>/<source>/<stream>/<finished>-<batch id>.parquet`, written under a temporary name and renamed,
so a reader sees all of it or none. Its manifest is in the file's own metadata under `tieout`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from blake3 import blake3

from ingestion.settings import STORE
from ingestion.streams import Stream

_METADATA_KEY = b"tieout"
_UNREPEATED = ("object_id", "payload", "payload_hash")
_DOCUMENTS = ("payload", "original")
# A reader takes a row group at a time, and a document takes ten times its size while it is parsed.
_BYTES_A_GROUP_OF_DOCUMENTS = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What was read, when, and from where to where. Instants are UTC, `byte_count` is the size in memory."""

    batch_id: str
    source: str
    stream: str
    cursor_from: str | None
    cursor_to: str | None
    row_count: int
    byte_count: int
    content_hash: str
    api_version: str
    started_at: datetime
    finished_at: datetime

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), default=datetime.isoformat, sort_keys=True).encode()

    @staticmethod
    def from_json(text: bytes) -> Manifest:
        fields = json.loads(text)
        for name in ("started_at", "finished_at"):
            fields[name] = datetime.fromisoformat(fields[name])
        return Manifest(**fields)


@dataclass(frozen=True)
class Batch:
    """A batch that is in the lake: its manifest and where its file is."""

    manifest: Manifest
    path: str


class LakeError(Exception):
    """A file of the lake can't be read or written. Names the file and the remedy."""


class Lake:
    """The batches under one directory, of this machine or, where its path begins with `gs:`, of Google Cloud Storage."""

    def __init__(self, root: Path, filesystem: pafs.FileSystem | None = None) -> None:
        self.is_stored = root.parts[:1] == (STORE,)
        self.root = root.relative_to(STORE) if self.is_stored else root
        self._fs = filesystem or (pafs.GcsFileSystem() if self.is_stored else pafs.LocalFileSystem())

    def open(self, path: str) -> pa.NativeFile:
        """A batch's file, to be read."""
        return self._fs.open_input_file(path)

    def folder(self, stream: Stream) -> str:
        return f"{self.root}/{stream.source}/{stream.name}"

    def write(
        self,
        stream: Stream,
        table: pa.Table,
        *,
        cursor_from: str | None,
        cursor_to: str | None,
        api_version: str,
        started_at: datetime,
        finished_at: datetime,
    ) -> Batch:
        """Write one batch and return it. Its id follows from stream, cursors, content and moment: an object that goes back to
        what it was lands in a batch with the content, but not the id, of the one that it landed in before."""
        content_hash = _content_hash(table)
        identity = json.dumps([str(stream), cursor_from, cursor_to, content_hash, finished_at.isoformat()])
        manifest = Manifest(
            batch_id=hashlib.sha256(identity.encode()).hexdigest()[:32],
            source=stream.source,
            stream=stream.name,
            cursor_from=cursor_from,
            cursor_to=cursor_to,
            row_count=table.num_rows,
            byte_count=table.nbytes,
            content_hash=content_hash,
            api_version=api_version,
            started_at=started_at,
            finished_at=finished_at,
        )
        batch_id = pa.scalar(manifest.batch_id, pa.string())
        read_at = pa.scalar(finished_at, pa.timestamp("us", tz="UTC"))
        landed = (
            table.append_column("batch_id", pa.repeat(batch_id, table.num_rows))
            .append_column("read_at", pa.repeat(read_at, table.num_rows))
            .replace_schema_metadata({_METADATA_KEY: manifest.to_json()})
        )

        folder = self.folder(stream)
        name = f"{finished_at:%Y%m%dT%H%M%S%fZ}-{manifest.batch_id}.parquet"
        # In Cloud Storage a folder would be an object of its own.
        if not self.is_stored:
            self._fs.create_dir(folder, recursive=True)
        temporary, path = f"{folder}/.{name}.part", f"{folder}/{name}"
        # A dictionary of numbers, or of texts that never repeat, costs time and makes the file no smaller.
        repetitive = [
            field.name
            for field in landed.schema
            if pa.types.is_string(field.type) and field.name not in (stream.key, *_UNREPEATED)
        ]
        names = landed.schema.names
        has_documents = not set(_DOCUMENTS).isdisjoint(names)
        pq.write_table(
            landed,
            temporary,
            filesystem=self._fs,
            compression="zstd",
            use_dictionary=repetitive,
            # The smallest and the largest document of every group would be in the file twice; those of a key tell nothing.
            write_statistics=[name for name in names if name not in (stream.key, *_UNREPEATED, *_DOCUMENTS)],
            row_group_size=1 + table.num_rows * _BYTES_A_GROUP_OF_DOCUMENTS // (1 + table.nbytes)
            if has_documents
            else None,
        )
        self._fs.move(temporary, path)
        return Batch(manifest, path)

    def paths(self, stream: Stream) -> list[str]:
        """The files of a stream's batches, oldest first. One cut short by a crash has a temporary name and is not there."""
        selector = pafs.FileSelector(self.folder(stream), allow_not_found=True)
        names = sorted(info.base_name for info in self._fs.get_file_info(selector))
        return [f"{self.folder(stream)}/{name}" for name in names if name.endswith(".parquet") and name[0] != "."]

    def batch(self, path: str) -> Batch:
        """The batch in a file. Raises LakeError for a file that is none."""
        try:
            metadata = pq.read_schema(path, filesystem=self._fs).metadata or {}
            return Batch(Manifest.from_json(metadata[_METADATA_KEY]), path)
        except (pa.ArrowInvalid, KeyError) as error:
            raise LakeError(
                f"{path} is not a batch of the lake ({error}): move it away; what it held is read again."
            ) from error


def _content_hash(table: pa.Table) -> str:
    """BLAKE3 over the Arrow IPC stream of the table in one chunk: equal content, equal hash. A payload is in it by its own.

    SHA-256 would take a quarter of the time in which usage events land."""
    if "payload_hash" in table.schema.names:
        table = table.drop_columns([name for name in _DOCUMENTS if name in table.schema.names])
    digest = blake3()

    class Sink:
        closed = False

        def write(self, data: bytes) -> int:
            digest.update(data)
            return len(data)

        def flush(self) -> None: ...

        def close(self) -> None: ...

    with pa.ipc.new_stream(pa.PythonFile(Sink(), mode="w"), table.schema.remove_metadata()) as writer:
        writer.write_table(table.combine_chunks().replace_schema_metadata(None))
    return digest.hexdigest()
