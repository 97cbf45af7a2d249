"""What BigQuery would say of a statement, or of a script of them, before it runs it: GoogleSQL's analyser against the tables as
they are at the other end of the wire, and what it takes and BigQuery does not."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from zetasql.wasi._pb2.zetasql.public import type_pb2

from tests.referee.googlesql import Columns, GoogleSQL, GoogleSQLError
from tests.referee.refusals import refusals
from tests.referee.values import canonical_type, type_of

_QUOTES = ('"""', "'''", '"', "'", "`")
_DECLARE = re.compile(r"declare\s+([\w, ]+?)\s+(array<.*>|struct<.*>|\w+)\s*(?:default\s+(.*))?$", re.I | re.S)
_SET = re.compile(r"set\s*(?:\((.*?)\)|(\w+))\s*=\s*(.*)$", re.I | re.S)
_UNCHECKED = re.compile(r"\s*(begin|commit|rollback|call|alter|grant|revoke)\b|.*\binformation_schema\b", re.I | re.S)
# A name that BigQuery has for its type and GoogleSQL has not.
_BIGINT = re.compile(r"\bbigint\b", re.I)
_CREATED = re.compile(r"^\s*create\b", re.I)

Fields = Sequence[Mapping[str, Any]]


class Statements:
    """Says what is wrong. `columns_of` answers with a table's fields as the REST API writes them, None if there is no table."""

    def __init__(self, columns_of: Callable[[str], Fields | None]) -> None:
        self._session, self._columns_of, self._lock = GoogleSQL(), columns_of, threading.Lock()
        self._made: dict[str, Columns] = {}

    def objection(self, sql: str, project: str, dataset: str | None, parameters: Fields) -> str | None:
        """The first sentence against it, None where BigQuery would run it."""
        kinds = {each["name"]: parameter_type(each["parameterType"]) for each in parameters}
        with self._lock:
            try:
                return next(self._objections(sql, project, dataset, kinds), None)
            except GoogleSQLError as error:
                return str(error)

    def _objections(self, sql: str, project: str, dataset: str | None, kinds: Mapping[str, Any]) -> Iterator[str]:
        variables: dict[str, str] = {}
        for statement in parts(sql):
            if declared := _DECLARE.match(statement):
                variables |= {name.strip(): declared[2] for name in declared[1].split(",")}
                continue
            if _UNCHECKED.match(statement):
                continue
            if given := _SET.match(statement):
                statement = f"select {given[3]}"
            statement = _BIGINT.sub("int64", statement)
            for name, kind in variables.items():
                statement = re.sub(rf"(?i)(?<![\w.`]){name}(?![\w`])", f"(cast(null as {kind}))", statement)
            self._know(statement, project, dataset)
            analysis = self._session.analyse(statement, kinds)
            yield from refusals(analysis)
            if _CREATED.match(statement):
                self._created(analysis.statement, dict(analysis.columns))

    def _know(self, statement: str, project: str, dataset: str | None) -> None:
        """Ask for each table anew: it may have been dropped. What a statement has made has the types that the statement gave it,
        which the emulator does not keep apart."""
        for name in self._session.tables_in(statement):
            words = name.split(".")
            full = ".".join([project, *([dataset] if dataset and len(words) == 1 else []), *words][-3:])
            fields = self._columns_of(full)
            if fields is not None:
                kinds = {field["name"]: canonical_type(field["type"]) for field in fields}
                made = self._made.get(full, {})
                self._session.know(name, made if made.keys() == kinds.keys() else kinds)

    def _created(self, statement: Any, columns: Columns) -> None:
        made = statement
        while "name_path" not in made.DESCRIPTOR.fields_by_name:
            if "parent" not in made.DESCRIPTOR.fields_by_name:
                return
            made = made.parent
        name = ".".join(made.name_path)
        self._made[name] = columns
        self._session.know(name, columns)


def parts(sql: str) -> Iterable[str]:
    """The statements of a script, without comments."""
    found, at, start = [""], 0, 0
    while at < len(sql):
        if sql.startswith("--", at) or sql[at] == "#":
            at = sql.find("\n", at) if "\n" in sql[at:] else len(sql)
        elif sql.startswith("/*", at):
            at = sql.index("*/", at) + 2
        elif quote := next((each for each in _QUOTES if sql.startswith(each, at)), None):
            start, at = at, at + len(quote)
            is_raw = quote != "`" and start > 0 and sql[start - 1] in "rR"
            while not sql.startswith(quote, at):
                at += 2 if sql[at] == "\\" and quote != "`" and not is_raw else 1
            at += len(quote)
            found[-1] += sql[start:at]
        else:
            if sql[at] == ";":
                found.append("")
            else:
                found[-1] += sql[at]
            at += 1
    return [statement.strip() for statement in found if statement.strip()]


def parameter_type(of: Mapping[str, Any]) -> type_pb2.TypeProto:
    """A type as the REST API writes it, as GoogleSQL does."""
    if of["type"] == "ARRAY":
        kind = type_pb2.TypeProto(type_kind=type_pb2.TYPE_ARRAY)
        kind.array_type.element_type.CopyFrom(parameter_type(of["arrayType"]))
        return kind
    if of["type"] == "STRUCT":
        kind = type_pb2.TypeProto(type_kind=type_pb2.TYPE_STRUCT)
        for field in of["structTypes"]:
            kind.struct_type.field.add(field_name=field["name"]).field_type.CopyFrom(parameter_type(field["type"]))
        return kind
    return type_of(canonical_type(of["type"]))
