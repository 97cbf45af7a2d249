"""Google's analyser and reference evaluator of GoogleSQL, BigQuery's language: the WebAssembly module of the package `zetasql`.

It is spoken to in its own messages. The package's Python layer compiles 28 MB of WebAssembly at every start, which is ten
seconds, and copies each answer byte by byte; here the compiled module is kept, and a start is a tenth of a second.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import tzdata
import wasmtime
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as public_options
from zetasql.wasi._pb2.zetasql.public import type_pb2
from zetasql.wasi._pb2.zetasql.resolved_ast import resolved_node_kind_pb2

from tests.referee.values import from_proto, to_proto, type_name, type_of

Answer = TypeVar("Answer", bound=Message)
Columns = Mapping[str, str]
"""Type by column, in the table's order."""

# What GoogleSQL has released and BigQuery has not: to use it must be an error here, too.
_NOT_IN_BIGQUERY = frozenset(
    {
        "AGGREGATE_FILTERING",
        "ALIASES_FOR_STRING_AND_DATE_FUNCTIONS",
        "ARRAY_AGGREGATION_FUNCTIONS",
        "ARRAY_FIND_FUNCTIONS",
        "BETWEEN_UINT64_INT64",
        "CONCAT_MIXED_TYPES",
        "DML_RETURNING",
        "EXPERIMENTAL_MODULES",
        "FOR_UPDATE",
        "INLINE_LAMBDA_ARGUMENT",
        "INSERT_ON_CONFLICT_CLAUSE",
        "LATERAL_COLUMN_REFERENCES",
        "LATERAL_JOIN",
        "LEGACY_BINARY_CONCAT",
        "LIMIT_ALL",
        "LIMIT_OFFSET_EXPRESSIONS",
        "MAP_TYPE",
        "MATCH_MAKE_STRUCT_IN_GROUP_BY",
        "MEASURES_TVF",
        "MULTILEVEL_AGGREGATION",
        "RELAXED_WITH_RECURSIVE",
        "ROW_TYPE",
        "SAFE_FUNCTION_CALL_WITH_LAMBDA_ARGS",
        "TIMESTAMP_NANOS",
        "TIMESTAMP_PICOS",
        "UUID_TYPE",
        "WITH_GROUP_ROWS",
    }
)
_KEPT = Path(__file__).parents[2] / ".tieout" / "googlesql"
_NAMED = re.compile(r"`([^`]+)`\.`([^`]+)`\.`([^`]+)`")
_POSITION = re.compile(r"^Code: \d+, Message: ")


class GoogleSQLError(Exception):
    """What GoogleSQL refuses, in its words, with line and column."""


@dataclass(frozen=True)
class Table:
    """Rows with their columns' values in order."""

    columns: Columns
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Analysis:
    """A statement as GoogleSQL understands it: its tree, and the columns that come out, where some do. Names may repeat."""

    statement: Message
    columns: tuple[tuple[str, str], ...]


class GoogleSQL:
    """A session. `known` are its tables, named as BigQuery names them, `project.dataset.table`; `know` adds one."""

    def __init__(self) -> None:
        self._module = _Module(_KEPT)
        self.known: dict[str, Columns] = {}
        self._catalogue: int | None = None
        asked = service.LanguageOptionsRequest(maximum_features=True)
        self._language = self._module.call("GetLanguageOptions", asked, options_pb2.LanguageOptionsProto)
        _as_bigquery(self._language)
        self._options = self._module.call(
            "GetAnalyzerOptions", service.AnalyzerOptionsRequest(), options_pb2.AnalyzerOptionsProto
        )
        self._options.language_options.CopyFrom(self._language)
        self._options.ClearField(
            "allowed_hints_and_options"
        )  # their enumerations are not in the module: every call would fail
        self._options.default_timezone = "UTC"
        self._options.error_message_mode = public_options.ERROR_MESSAGE_ONE_LINE
        self._options.prune_unused_columns = True

    def know(self, name: str, columns: Columns) -> None:
        """From now on there is this table."""
        self.known[name] = columns
        if self._catalogue is not None:
            self._module.call("UnregisterCatalog", service.UnregisterRequest(registered_id=self._catalogue))
            self._catalogue = None

    def tables_in(self, sql: str) -> set[str]:
        """The tables that a statement names. GoogleSQLError: it is no statement."""
        asked = service.ExtractTableNamesFromStatementRequest(sql_statement=sql, options=self._language)
        found = self._module.call(
            "ExtractTableNamesFromStatement", asked, service.ExtractTableNamesFromStatementResponse
        )
        return {".".join(table.table_name_segment) for table in found.table_name}

    def analyse(self, sql: str, parameters: Mapping[str, type_pb2.TypeProto] = MappingProxyType({})) -> Analysis:
        """A statement whose named parameters have these types. GoogleSQLError: what of it is wrong, and where."""
        if self._catalogue is None:
            catalogue = self._catalogue_of({tuple(name.split(".")): name for name in self.known})
            registered = service.RegisterCatalogRequest(simple_catalog=catalogue)
            self._catalogue = self._module.call("RegisterCatalog", registered, service.RegisterResponse).registered_id
        asked = service.AnalyzeRequest(options=self._options, registered_catalog_id=self._catalogue, sql_statement=sql)
        for name, kind in parameters.items():
            asked.options.query_parameters.add(name=name, type=kind)
        statement = inner(self._module.call("Analyze", asked, service.AnalyzeResponse).resolved_statement)
        return Analysis(statement, tuple(_output(statement)))

    def evaluate(self, sql: str, tables: Mapping[str, Table]) -> Table:
        """What a query makes of these rows. GoogleSQLError: it can't be, or a table that it reads is not among them."""
        # The evaluator takes rows only for tables whose name has one part.
        flat = _NAMED.sub(r"`\1.\2.\3`", sql)
        read = self.tables_in(flat)
        if read - tables.keys():
            raise GoogleSQLError(f"no rows are given for {', '.join(sorted(read - tables.keys()))}")
        asked = service.PrepareQueryRequest(sql=flat, options=self._options)
        asked.simple_catalog.CopyFrom(self._catalogue_of({(name,): name for name in read}))
        for name in read:
            content = asked.table_content[name].table_data
            content.SetInParent()
            types = [type_of(kind) for kind in self.known[name].values()]
            for row in tables[name].rows:
                content.row.add().cell.extend(to_proto(value, kind) for value, kind in zip(row, types, strict=True))
        prepared = self._module.call("PrepareQuery", asked, service.PrepareQueryResponse).prepared
        try:
            evaluated = self._module.call(
                "EvaluateQuery",
                service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id),
                service.EvaluateQueryResponse,
            )
        finally:
            self._module.call(
                "UnprepareQuery", service.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id)
            )
        kinds = [column.type for column in prepared.columns]
        rows = [
            tuple(from_proto(cell, kind) for cell, kind in zip(row.cell, kinds, strict=True))
            for row in evaluated.content.table_data.row
        ]
        return Table({column.name: type_name(column.type) for column in prepared.columns}, rows)

    def _catalogue_of(self, paths: Mapping[tuple[str, ...], str]) -> simple_catalog_pb2.SimpleCatalogProto:
        """Tables of those names, each under its path."""
        root = simple_catalog_pb2.SimpleCatalogProto(name="root")
        root.builtin_function_options.language_options.CopyFrom(self._language)
        folders: dict[tuple[str, ...], simple_catalog_pb2.SimpleCatalogProto] = {(): root}
        for number, (path, name) in enumerate(paths.items(), start=1):
            for depth in range(1, len(path)):
                if path[:depth] not in folders:
                    folders[path[:depth]] = folders[path[: depth - 1]].catalog.add(name=path[depth - 1])
            table = folders[path[:-1]].table.add(name=path[-1], serialization_id=number)
            for column, kind in self.known[name].items():
                table.column.add(name=column, type=type_of(kind))
        return root


def nodes(within: Message) -> Iterable[Message]:
    """All nodes of a resolved tree, the outermost first."""
    for field, value in within.ListFields():
        if field.message_type is not None:
            for part in value if field.is_repeated else (value,):
                yield part
                yield from nodes(part)


def _as_bigquery(language: Any) -> None:
    language.product_mode = (
        public_options.PRODUCT_EXTERNAL
    )  # types and coercions are BigQuery's: no INT32, no implicit casts
    feature_names = public_options.LanguageFeature.items()
    missing = {number for name, number in feature_names if _feature(name) in _NOT_IN_BIGQUERY}
    enabled = [feature for feature in language.enabled_language_features if feature not in missing]
    del language.enabled_language_features[:]
    language.enabled_language_features.extend(enabled)
    del language.supported_statement_kinds[:]
    language.supported_statement_kinds.extend(
        number for name, number in resolved_node_kind_pb2.ResolvedNodeKind.items() if name.endswith("Stmt")
    )
    if "QUALIFY" not in language.reserved_keywords:
        language.reserved_keywords.append("QUALIFY")


def _feature(name: str) -> str:
    """`LATERAL_JOIN` of both FEATURE_LATERAL_JOIN and FEATURE_V_1_4_LATERAL_JOIN."""
    return re.sub(r"^FEATURE_(V_\d+_\d+_)?", "", name)


def inner(message: Any) -> Any:
    """A node out of the wrappers that say of which kind it is."""
    node = message
    while "node" in node.DESCRIPTOR.oneofs_by_name:
        node = getattr(node, str(node.WhichOneof("node")))
    return node


def _output(statement: Any) -> Iterable[tuple[str, str]]:
    node = statement
    while "output_column_list" not in node.DESCRIPTOR.fields_by_name:
        if "parent" not in node.DESCRIPTOR.fields_by_name:
            return
        node = node.parent
    for column in node.output_column_list:
        yield column.name, type_name(column.column.type)


class _Module:
    """The WebAssembly module, started. Compiled anew only for another version of it, of the compiler or of the machine."""

    def __init__(self, kept: Path) -> None:
        settings = wasmtime.Config()
        settings.shared_memory = True
        engine = wasmtime.Engine(settings)
        self._store = wasmtime.Store(engine)
        system = wasmtime.WasiConfig()
        system.inherit_stderr()
        system.preopen_dir(str(Path(tzdata.__file__).parent / "zoneinfo"), "/usr/share/zoneinfo")
        self._store.set_wasi(system)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        exported: Any = linker.instantiate(self._store, _compiled(engine, kept)).exports(self._store)
        self._exports = exported  # functions and the memory, by name
        self._exports["_initialize"](self._store)
        self._memory: Any = self._exports["memory"]

    def call(self, method: str, asked: Message, answer: type[Answer] = Empty) -> Answer:
        """GoogleSQLError: what the module answers instead."""
        request = asked.SerializeToString()
        place, size = self._allocate(len(request) or 1), self._allocate(4)
        try:
            self._write(place, request)
            found = self._exports[f"ZetaSqlLocalService_{method}"](self._store, place, len(request), size)
            if not found:
                length = self._exports["wasm_get_last_error_size"](self._store)
                said = self._read(self._exports["wasm_get_last_error"](self._store), length).decode()
                raise GoogleSQLError(_POSITION.sub("", said) or "refused without a word")
            content = self._read(found, int.from_bytes(self._read(size, 4), "little"))
            self._exports["wasm_free"](self._store, found)
        finally:
            self._exports["wasm_free"](self._store, place)
            self._exports["wasm_free"](self._store, size)
        message: Answer = answer.FromString(content)
        return message

    def _allocate(self, length: int) -> int:
        place: int = self._exports["wasm_malloc"](self._store, length)
        return place

    def _address(self, place: int) -> int:
        # Asked for each time: the memory moves when it grows.
        return ctypes.addressof(self._memory.data_ptr().contents) + place

    def _write(self, place: int, content: bytes) -> None:
        ctypes.memmove(self._address(place), content, len(content))

    def _read(self, place: int, length: int) -> bytes:
        return ctypes.string_at(self._address(place), length)


def _compiled(engine: wasmtime.Engine, kept: Path) -> wasmtime.Module:
    source = Path(get_wasm_path())
    made_of = (source.stat().st_size, importlib.metadata.version("zetasql"), importlib.metadata.version("wasmtime"))
    key = hashlib.sha256(repr((*made_of, platform.machine(), platform.processor())).encode()).hexdigest()[:16]
    path = kept / f"{key}.cwasm"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(wasmtime.Module.from_file(engine, str(source)).serialize())
        partial.replace(path)
    return wasmtime.Module.deserialize_file(engine, str(path))
